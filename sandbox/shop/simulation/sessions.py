"""What Magento keeps in Redis: sessions with a time to live, and the default cache's entries and tags."""

from typing import Final

import redis

from sandbox.shop.simulation.world import Component, World

BOT_SECONDS: Final = 60
SHOPPER_SECONDS: Final = 3600
CACHE_ENTRIES: Final = 400
CACHE_SECONDS: Final = 7200
ID_PREFIX: Final = "69d_"


class RedisUser(Component):
    """Writes and reads sessions and cache entries in the key layout of 2.4.9.

    A tag's set and the tags of an entry have no expiry: of an entry that has expired they stay.
    """

    name = "redis"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._clients: dict[str, redis.Redis] = {}

    def step(self) -> float:
        """Serve a few requests' worth of cache and session."""
        if self.world.endpoints.redis is None:
            return 5.0
        if not self.fault("no-traffic"):
            for _ in range(5):
                self._use_cache()
            self._use_session()
        return 0.5

    def _client(self, name: str) -> redis.Redis:
        where = self.world.endpoints.redis or {}
        if name not in self._clients:
            self._clients[name] = redis.Redis(
                host=where["host"],
                port=where["port"],
                db=where["databases"][name],
                socket_timeout=3,
                socket_connect_timeout=3,
            )
        return self._clients[name]

    def _use_cache(self) -> None:
        cache = self._client("cache")
        number = int(self.random.paretovariate(0.6)) % CACHE_ENTRIES
        name = f"ENTRY_{number}"
        if cache.get(f"{ID_PREFIX}:{name}") is None:
            cache.set(f"{ID_PREFIX}:{name}", "x" * 500, ex=CACHE_SECONDS)
            cache.sadd(f"cache:tags:{ID_PREFIX}CONFIG", name)
            cache.sadd(f"cache:id_tags:{ID_PREFIX}{name}", "CONFIG")
            cache.sadd("cache:all_ids", name)

    def _use_session(self) -> None:
        sessions = self._client("session")
        bot = self.chance(0.5)
        key = f"sess_{self.random.getrandbits(104):026x}"
        sessions.hset(key, mapping={"data": "private", "writes": "1", "lock": "0"})
        sessions.expire(key, BOT_SECONDS if bot else SHOPPER_SECONDS)

    def reset(self) -> None:
        """Drop the Redis connections too."""
        super().reset()
        for client in self._clients.values():
            client.close()
        self._clients.clear()
