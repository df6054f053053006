"""The two compose files: what must last has a volume, and the second one runs the commands that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli import main

PROJECT = Path(__file__).parents[3]
FILES = ("docker-compose.yml", "deploy/compose/beside-a-shop.yml")
LASTING = {
    "grafana": "/var/lib/grafana",
    "prometheus": "/prometheus",
    "exporter": "/var/lib/magento-exporter",
}


def services(file: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((PROJECT / file).read_text())["services"]
    return found


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("service", LASTING)
def test_what_must_last_has_a_volume_where_the_program_keeps_it(file: str, service: str) -> None:
    """Grafana's database is in /var/lib/grafana itself, not in a directory below."""
    named = dict(volume.split(":")[:2] for volume in services(file)[service]["volumes"])
    assert LASTING[service] in named.values()


@pytest.mark.parametrize("file", FILES)
def test_every_port_is_open_to_this_machine_only(file: str) -> None:
    published = [port for service in services(file).values() for port in service.get("ports", [])]
    listening = [
        word.partition("=")[2] if word.startswith("--") else word
        for service in services(file).values()
        if service.get("network_mode") == "host"
        for word in (*service.get("command", ()), *service.get("environment", {}).values())
        if word.startswith(("--web.listen-address=", "127.", "0."))
    ]
    assert len(published or listening) >= 3, "the exporter, Prometheus, Alertmanager"
    assert all(str(port).startswith("127.0.0.1") for port in (*published, *listening))


def test_the_pack_of_the_second_file_is_what_its_servers_read(tmp_path: Path) -> None:
    beside = services(FILES[1])
    (script,) = beside["pack"]["command"]
    command = script.replace("\\\n", " ").splitlines()[0]
    values = {
        "SHOP": "shop.example",
        "TIME_ZONE": "Europe/Berlin",
        "RUNBOOK_BASE": "https://exporter.example/runbooks/",
        "GRAFANA_BASE": "https://grafana.example",
        "ALERTMANAGER": "alertmanager:9093",
    }
    assert values.keys() == beside["pack"]["environment"].keys()
    words = re.sub(r'"\$\$(\w+)"', lambda match: values[match[1]], command).split()
    assert words[0] == "magento-exporter"
    assert (
        main([word.replace("/pack", str(tmp_path)) if word == "/pack" else word for word in words[1:]]) == 0
    )
    read = [
        re.sub("^/pack", str(tmp_path), word.partition("=")[2])
        for name in ("prometheus", "alertmanager")
        for word in beside[name]["command"]
        if word.startswith("--config.file=")
    ]
    assert len(read) == 2
    assert all(Path(file).is_file() for file in read)
    provisioning = beside["grafana"]["environment"]["GF_PATHS_PROVISIONING"].replace("/pack", str(tmp_path))
    (provider,) = yaml.safe_load((Path(provisioning) / "dashboards/magento.yml").read_text())["providers"]
    mounted = dict(reversed(volume.split(":")[:2]) for volume in beside["grafana"]["volumes"])
    assert mounted[provider["options"]["path"]] == "dashboards"
    (target,) = yaml.safe_load((tmp_path / "prometheus/targets/magento.yml").read_text())
    assert target["targets"] == ["exporter:9816"]
