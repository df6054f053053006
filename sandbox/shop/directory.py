"""The shop's directory on its server, as far as an engineer or the exporter looks into it.

`app/etc/env.php` leads to the sandbox's servers in Magento's own form, logs are there and empty, and
`var/.maintenance.flag` is what the maintenance fault sets.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox.paths import PROJECT
from sandbox.shop.schema import VERSIONS

FLAG: Final = Path("var/.maintenance.flag")
LOGS: Final = ("system", "exception", "debug", "cron", "magento.cron", "payment")
CRONTAB: Final = """\
#~ MAGENTO START
* * * * * /usr/bin/php {root}/bin/magento cron:run 2>&1 \
| grep -v "Ran jobs by schedule" >> {root}/var/log/magento.cron.log
#~ MAGENTO END
"""
"""What `bin/magento cron:install` writes."""

_CACHE: Final = "redis"
_CACHE_BEFORE_2_4_9: Final = "Magento\\Framework\\Cache\\Backend\\Redis"
"""2.4.9 takes files for the name of a class."""


_CONSOLE: Final = """\
#!/usr/bin/env php
<?php
$words = array_map('escapeshellarg', array_merge(['bin/magento'], array_slice($argv, 1)));
passthru('cd {project} && {python} -m sandbox.repairs {state} ' . implode(' ', $words));
"""
"""The sandbox has no Magento to run: the command is reported, and ends the fault that it repairs."""


DEPLOYED_AGO = 2 * 86_400.0
"""Seconds since the shop was deployed: nothing that happens now is a deploy's doing."""


def make(endpoints: Mapping[str, Any], *, version: str) -> None:
    """Make the directory that `endpoints` names, for the shop whose servers they name."""
    root = Path(endpoints["directory"])
    for name in ("app/etc", "bin", "var/log", "var/report", "pub/static"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "app/etc/env.php").write_text(f"<?php\nreturn {_php(_settings(endpoints, version))};\n")
    product = {"name": "magento/product-community-edition", "version": version}
    (root / "composer.lock").write_text(json.dumps({"packages": [product]}, indent=4))
    deployed, moment = root / "pub/static/deployed_version.txt", time.time() - DEPLOYED_AGO
    deployed.write_text(str(int(moment)))
    os.utime(deployed, (moment, moment))
    where = {"project": PROJECT, "python": sys.executable, "state": root.parents[1]}
    (root / "bin/magento").write_text(_fill(_CONSOLE, where))
    (root / "bin/magento").chmod(0o755)
    (root / "crontab").write_text(CRONTAB.format(root=root))
    for name in LOGS:
        (root / f"var/log/{name}.log").touch()


def _fill(template: str, values: Mapping[str, object]) -> str:
    """Fill in the names in braces; other braces are PHP's."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", str(value))
    return template


def _settings(endpoints: Mapping[str, Any], version: str) -> dict[str, Any]:
    database, queue = endpoints["database"], endpoints["rabbitmq"]
    cache = _CACHE if version == VERSIONS[0] else _CACHE_BEFORE_2_4_9
    server = {"host": endpoints["redis"]["host"], "port": str(endpoints["redis"]["port"])}
    numbers = endpoints["redis"]["databases"]
    varnish_host, _, varnish_port = endpoints["varnish_purge"].removeprefix("http://").partition(":")
    return {
        "MAGE_MODE": "production",
        "db": {
            "table_prefix": database["prefix"],
            "connection": {
                "default": {
                    "host": f"{database['host']}:{database['port']}",
                    "dbname": database["name"],
                    "username": database["user"],
                    "password": database["password"],
                    "active": "1",
                }
            },
        },
        "cache": {
            "frontend": {
                name: {
                    "backend": cache,
                    "backend_options": {
                        "server": server["host"],
                        "port": server["port"],
                        "database": str(number),
                    },
                }
                for name, number in (("default", numbers["cache"]), ("page_cache", numbers["page_cache"]))
            }
        },
        "session": {"save": "redis", "redis": {**server, "database": str(numbers["session"])}},
        "queue": {
            "amqp": {
                "host": queue["host"],
                "port": str(queue["amqp_port"]),
                "user": queue["user"],
                "password": queue["password"],
                "virtualhost": queue["vhost"],
            }
        },
        "http_cache_hosts": [{"host": varnish_host, "port": varnish_port}],
    }


def _php(value: Any, indent: str = "") -> str:
    """Return a PHP literal in the style that Magento's own writer has."""
    deeper = indent + "    "
    if isinstance(value, Mapping):
        lines = [f"{deeper}'{key}' => {_php(inner, deeper)}" for key, inner in value.items()]
    elif isinstance(value, list):
        lines = [f"{deeper}{_php(inner, deeper)}" for inner in value]
    else:
        return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "[\n" + ",\n".join(lines) + f"\n{indent}]"
