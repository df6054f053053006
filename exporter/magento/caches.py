r"""Which store of its cache Magento takes for a name in env.php.

Sources: ``Magento\Framework\App\Cache\Frontend\Factory`` and
``Magento\Framework\Cache\Frontend\Adapter\SymfonyAdapterProvider`` of 2.4.9. Up to 2.4.8 a backend is named
by its class, from 2.4.9 on by a short word. 2.4.9 takes files for any name that it does not know, and says
nothing.
"""

from __future__ import annotations

from typing import Final

TWO_LEVELS: Final = (
    "remotesynchronizedcache",
    "symfonyl2cache",
    "symfony_l2",
    "l2_symfony",
    "symfony_l2_cache",
)
"""Last names, in lower case, of a cache that keeps files before a remote one."""

KNOWN_TO_2_4_9: Final = frozenset(
    {
        "file",
        "redis",
        "valkey",
        "memcached",
        "libmemcached",
        "database",
        "apc",
        "apcu",
        "two_levels",
        "twolevel",
        "symfony_l2",
        "l2_symfony",
        "symfony_l2_cache",
        "magento\\framework\\cache\\backend\\symfonyl2cache",
    }
)
"""Every name that 2.4.9 knows, as a whole and in lower case."""

_FILES: Final = ("cm_cache_backend_file", "zend_cache_backend_file")


def last_name(backend: str) -> str:
    """Return the last part of a class name, in lower case."""
    return backend.rsplit("\\", 1)[-1].lower()


def is_two_levels(backend: str) -> bool:
    """Return whether a backend is a file cache before a remote one."""
    return last_name(backend) in TWO_LEVELS


def is_redis(backend: str) -> bool:
    """Return whether a backend is Redis or Valkey, by its class or by the short word."""
    return last_name(backend).rsplit("_", 1)[-1] in ("redis", "valkey")


def becomes_files(backend: str) -> bool:
    """Return whether 2.4.9 takes files for a name that meant another store before."""
    name = backend.lower()
    return bool(name) and name not in KNOWN_TO_2_4_9 and last_name(name) not in _FILES
