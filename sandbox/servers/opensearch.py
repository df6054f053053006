"""OpenSearch as one small node, put together from the artefacts that its project publishes for Maven.

It needs Java 17 and Maven. The artefacts are fetched once and kept in the cache.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from sandbox.errors import SandboxError, ServerError
from sandbox.paths import CACHE
from sandbox.process import LOOPBACK, accepts, free_port
from sandbox.servers.base import Server, program

VERSION: Final = "2.19.6"
ARTEFACTS: Final = (
    ("org.opensearch", "opensearch", VERSION),
    ("org.opensearch", "opensearch-plugin-classloader", VERSION),
    ("org.opensearch.plugin", "transport-netty4-client", VERSION),
    ("org.apache.logging.log4j", "log4j-core", "2.25.4"),  # as its log4j-api, or it does not start
)
FETCH_SECONDS: Final = 1200
NOBODY: Final = 65534
FAMILY: Final = "magento2_product_"
"""What the names of Magento's product indexes begin with."""

PRODUCTS: Final = 200

POM: Final = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>sandbox</groupId><artifactId>search</artifactId><version>1</version>
<dependencies>{dependencies}</dependencies>
</project>
"""
DEPENDENCY: Final = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
)
TRANSPORT: Final = f"""\
description=HTTP and transport
version={VERSION}
name=transport-netty4
classname=org.opensearch.transport.Netty4Plugin
java.version=11
opensearch.version={VERSION}
has.native.controller=false
"""
POLICY: Final = """\
grant codeBase "${codebase.netty-common}" {
  permission java.lang.RuntimePermission "getClassLoader";
  permission java.lang.RuntimePermission "setContextClassLoader";
  permission java.util.PropertyPermission "*", "read,write";
  permission java.lang.reflect.ReflectPermission "suppressAccessChecks";
  permission java.lang.RuntimePermission "accessDeclaredMembers";
};
grant {
  permission java.net.SocketPermission "*", "accept,connect,listen,resolve";
};
"""
LOGGING: Final = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c - %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""
CONFIGURATION: Final = """\
cluster.name: sandbox
discovery.type: single-node
network.host: {host}
http.port: {port}
transport.port: {transport_port}
path.data: {directory}/data
path.logs: {directory}/logs
cluster.routing.allocation.disk.threshold_enabled: false
"""


class OpenSearch(Server):
    """OpenSearch on 127.0.0.1, without a login."""

    name = "opensearch"
    host = LOOPBACK
    start_seconds = 240.0
    stop_seconds = 2.0  # what it holds is made anew at each start

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.port = free_port()
        self._transport_port = free_port()
        self._home = self.directory / "home"

    @property
    def url(self) -> str:
        """The root of its interface."""
        return f"http://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Lay out a home as its distribution has it."""
        jars = artefacts()
        if not self._home.exists():
            module = self._home / "modules" / "transport-netty4"
            for made in (self._home / "lib", self._home / "config", self._home / "plugins", module):
                made.mkdir(parents=True)
            for jar in jars.glob("*.jar"):
                shutil.copy(jar, module if "netty" in jar.name else self._home / "lib")
            (module / "plugin-descriptor.properties").write_text(TRANSPORT)
            (module / "plugin-security.policy").write_text(POLICY)
            (self._home / "config" / "log4j2.properties").write_text(LOGGING)
        said = {"host": self.host, "port": self.port, "transport_port": self._transport_port}
        configuration = CONFIGURATION.format(directory=self.directory, **said)
        (self._home / "config" / "opensearch.yml").write_text(configuration)
        for folder in ("data", "logs", "tmp"):
            (self.directory / folder).mkdir(exist_ok=True)

    def command(self) -> Sequence[str | Path]:
        """Return the command line of the Java machine.

        OpenSearch refuses to run as root. In a user namespace it is nobody, and its files are root's still.
        """
        as_nobody = ["unshare", "--user", f"--map-user={NOBODY}", "--", "setpriv", "--pdeathsig=KILL", "--"]
        return [
            *(as_nobody if os.geteuid() == 0 else []),
            program("java"),
            *("-Xms192m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            "-Djava.security.manager=allow",
            f"-Dopensearch.path.home={self._home}",
            f"-Dopensearch.path.conf={self._home / 'config'}",
            "-Dopensearch.distribution.type=tar",
            f"-Djava.io.tmpdir={self.directory / 'tmp'}",
            "-cp",
            f"{self._home / 'lib'}/*",
            "org.opensearch.bootstrap.OpenSearch",
        ]

    def ready(self) -> bool:
        """Tell whether it answers with its name."""
        try:
            return accepts(self.port) and bool(self.api("GET", "/")["version"]["number"])
        except (httpx.HTTPError, ServerError):
            return False

    def reindex(self, store: int, products: int = PRODUCTS) -> None:
        """Do what Magento's full reindex does: fill the next version, move the alias, remove the old one."""
        old = self._versions(store)
        version = max((int(name.rpartition("_v")[2]) for name in old), default=0) + 1
        alias, index = f"{FAMILY}{store}", f"{FAMILY}{store}_v{version}"
        self.api("PUT", f"/{index}", {"settings": {"number_of_shards": 1, "number_of_replicas": 0}})
        lines = [line for number in range(1, products + 1) for line in _product(number)]
        self._bulk(f"/{index}/_bulk?refresh=true", lines)
        self.api("POST", "/_aliases", {"actions": [{"add": {"index": index, "alias": alias}}]})
        if old:
            self.api("DELETE", f"/{','.join(old)}")

    def lose_alias(self, store: int) -> None:
        """Lose the alias, as by a reindex that broke off between two steps of an old version."""
        remove = {"index": f"{FAMILY}{store}_v*", "alias": f"{FAMILY}{store}"}
        self.api("POST", "/_aliases", {"actions": [{"remove": remove}]})

    def set_read_only(self, *, on: bool) -> None:
        """Take no changes any more, as after a full disk, or take them again."""
        self.api("PUT", f"/{FAMILY}*/_settings", {"index.blocks.read_only_allow_delete": on or None})

    def _versions(self, store: int) -> list[str]:
        return sorted(self.api("GET", f"/{FAMILY}{store}_v*/_alias"))

    def _bulk(self, path: str, lines: Sequence[str]) -> None:
        content = "".join(f"{line}\n" for line in lines)
        headers = {"Content-Type": "application/x-ndjson"}
        address = f"{self.url}{path}"
        answer = httpx.post(address, content=content, headers=headers, timeout=60, trust_env=False)
        if answer.is_error or answer.json()["errors"]:
            raise ServerError(f"opensearch: {path}: {answer.status_code} {answer.text[:500]}")

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call its interface and return the decoded answer; raise if it refuses."""
        answer = httpx.request(method, f"{self.url}{path}", json=body, timeout=60, trust_env=False)
        if answer.is_error:
            raise ServerError(f"opensearch: {method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()


def _product(number: int) -> tuple[str, str]:
    return json.dumps({"index": {"_id": str(number)}}), json.dumps({"sku": f"p{number}", "visibility": 4})


def artefacts() -> Path:
    """Return a folder with OpenSearch and all that it needs; fetched once and kept in the cache."""
    finished = CACHE / f"opensearch-{VERSION}"
    if not finished.exists():
        maven = shutil.which("mvn")
        if not maven or not shutil.which("java"):
            raise SandboxError(
                "a search engine needs Java 17 and Maven: apt-get install default-jre-headless maven"
            )
        CACHE.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix="opensearch-", suffix=".incomplete", dir=CACHE))
        try:
            _fetch(maven, half)
            (half / "jars").rename(finished)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return finished


def _fetch(maven: str, directory: Path) -> None:
    dependencies = "".join(DEPENDENCY.format(*artefact) for artefact in ARTEFACTS)
    (directory / "pom.xml").write_text(POM.format(dependencies=dependencies))
    command = [maven, "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={directory / 'jars'}"]
    outcome = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS
    )
    if outcome.returncode:
        raise SandboxError(f"Maven could not fetch OpenSearch:\n{outcome.stdout[-2000:]}")
