"""What Varnish answers."""

from __future__ import annotations

from collections.abc import Mapping

GOOD_PROBES = 2**64 - 1


class Varnish:
    """Two instances, the second of which stops to answer."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def counters(self) -> Mapping[str, Mapping[str, int] | None]:
        busy = (1_000, 1_600, 7_000)[self.step]
        edge = {
            "MAIN.uptime": 86_400 + busy,
            "MAIN.cache_hit": 19 * busy,
            "MAIN.esi_req": 10 * busy,
            "MAIN.cache_miss": busy,
            "MAIN.cache_hitmiss": busy // 4,
            "MAIN.s_pass": busy // 2,
            "MAIN.s_synth": 3,
            "MAIN.bans": 5 + self.step,
            "MAIN.bans_added": 40 + self.step,
            "MAIN.bans_obj_killed": 11,
            "MAIN.n_object": 5_000,
            "MAIN.n_lru_nuked": 2,
            "MAIN.threads_limited": 0,
            "MAIN.sess_dropped": 0,
            "MAIN.backend_fail": 1,
            "MAIN.backend_busy": 0,
            "MAIN.backend_unhealthy": 0,
            "MAIN.fetch_failed": 1,
            "MAIN.cache_hit_grace": 6,
            "MAIN.losthdr": 0,
            "VBE.boot.web1.happy": GOOD_PROBES,
            "VBE.boot.web2.happy": GOOD_PROBES if self.step == 0 else 0b1,
        }
        return {"edge": edge, "second": edge if self.step == 0 else None}


SOURCE = Varnish
