"""RabbitMQ with a node name, a home, a cookie and a port mapper of its own."""

import os
import secrets
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from sandbox.errors import ServerError
from sandbox.process import LOOPBACK, Process, accepts, free_port
from sandbox.servers.base import Server, program

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""The plain scripts; Debian's wrappers in the PATH change the user and read system files."""

CHOICE = "SANDBOX_RABBITMQ"
"""The environment variable that names another folder of such scripts, for another version."""

PLUGINS = "[rabbitmq_management, rabbitmq_prometheus].\n"

CONFIGURATION = """\
listeners.tcp.1 = {host}:{amqp_port}
management.tcp.ip = {host}
management.tcp.port = {management_port}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {prometheus_port}
default_user = {user}
default_pass = {password}
default_vhost = {vhost}
loopback_users = none
collect_statistics_interval = 1000
vm_memory_high_watermark.absolute = {memory}
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = info
log.file = false
"""

MEMORY = "1GB"
"""What it may use before it blocks publishers."""

CONTROL_SECONDS = 60


class RabbitMQ(Server):
    """RabbitMQ on 127.0.0.1: AMQP, management API and Prometheus endpoint, each on a port of its own.

    `user`/`password` administrate everything; statistics are refreshed every second.
    """

    name = "rabbitmq"
    host = LOOPBACK
    user = "magento"
    password = "magento"
    vhost = "/"
    stop_seconds = 3.0  # all is on disk after a fraction of one; the Erlang machine then idles for six

    def __init__(self, directory: Path, *, arguments: Sequence[str] = ()) -> None:
        super().__init__(directory)
        self.arguments = tuple(arguments)
        self.port = free_port()
        self.management_port = free_port()
        self.prometheus_port = free_port()
        self._distribution_port = free_port()
        self._epmd_port = free_port()
        self._epmd: Process | None = None
        self._node = f"sandbox-{secrets.token_hex(4)}@localhost"

    @property
    def url(self) -> str:
        """Where AMQP clients connect."""
        return f"amqp://{self.user}:{self.password}@{self.host}:{self.port}/{quote(self.vhost, safe='')}"

    @property
    def management_url(self) -> str:
        """Root of the management interface; its API is below /api."""
        return f"http://{self.host}:{self.management_port}"

    def launch(self) -> None:
        """Start the port mapper first: otherwise Erlang starts one that outlives the server."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._epmd is None or not self._epmd.running:
            self._epmd = Process(
                "epmd",
                [program("epmd"), "-port", str(self._epmd_port), "-address", self.host],
                log=self.directory / "epmd.log",
                cwd=self.directory,
            )
            self._epmd.start()
            self._epmd.wait_ready(lambda: accepts(self._epmd_port))
        super().launch()

    def prepare(self) -> None:
        """Write configuration, plug-in list and the cookie that keeps other nodes out."""
        settings = {name: getattr(self, name) for name in SETTINGS}
        (self.directory / "rabbitmq.conf").write_text(
            CONFIGURATION.format(amqp_port=self.port, memory=MEMORY, **settings)
        )
        (self.directory / "enabled_plugins").write_text(PLUGINS)
        self._write_control()
        cookie = self.directory / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)

    def _write_control(self) -> None:
        """Write a `rabbitmqctl` that finds this node, for people and for runbooks."""
        wanted = ("HOME", "RABBITMQ_NODENAME", "RABBITMQ_CONF_ENV_FILE", "ERL_EPMD_PORT", "LC_ALL")
        environment = self.environment()
        exports = " ".join(f"{name}={shlex.quote(environment[name])}" for name in wanted)
        control = self.directory / "rabbitmqctl"
        control.write_text(f'#!/bin/sh\nexport {exports}\nexec {_programs() / "rabbitmqctl"} "$@"\n')
        control.chmod(0o755)

    def command(self) -> Sequence[str | Path]:
        """Return the start script; it becomes the Erlang machine."""
        return [_programs() / "rabbitmq-server", *self.arguments]

    def environment(self) -> Mapping[str, str]:
        """Return everything RabbitMQ would otherwise look for in system directories."""
        return {
            "HOME": str(self.directory),
            "RUNNING_UNDER_SYSTEMD": "true",  # makes the script exec the machine instead of waiting for it
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.directory / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_PID_FILE": str(self.directory / "rabbitmq.pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.directory / "generated"),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": self.host,
            "ERL_CRASH_DUMP": str(self.directory / "erl_crash.dump"),
            "LC_ALL": "C.UTF-8",
        }

    def ready(self) -> bool:
        """Tell whether the API says that the node is up and AMQP is listened on."""
        if not (accepts(self.management_port) and accepts(self.port) and accepts(self.prometheus_port)):
            return False
        try:
            return self._request("GET", "health/checks/local-alarms").is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """End the server, then its port mapper."""
        super().stop()
        if self._epmd is not None:
            self._epmd.stop()

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the management API (`path` below /api, parts quoted); return the decoded answer or None."""
        answer = self._request(method, path, body)
        if answer.is_error:
            raise ServerError(f"rabbitmq: {method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def declare_vhost(self, vhost: str) -> None:
        """Make a virtual host in which the administrator may do everything."""
        self.api("PUT", f"vhosts/{_quoted(vhost)}")
        self._permit(vhost, self.user, ".*", ".*", ".*")

    def declare_user(self, user: str, password: str, *, tags: str = "", vhost: str | None = None) -> None:
        """Make a user with `tags` (e.g. management) who may look into `vhost`, but not consume or publish."""
        self.api("PUT", f"users/{_quoted(user)}", {"password": password, "tags": tags})
        if vhost is not None:
            self._permit(vhost, user, "^$", "^$", "^$")

    def declare_queues(self, queues: Iterable[str], *, vhost: str | None = None) -> None:
        """Make durable queues."""
        for queue in queues:
            path = f"queues/{_quoted(vhost or self.vhost)}/{_quoted(queue)}"
            self.api("PUT", path, {"durable": True, "auto_delete": False, "arguments": {}})

    def block_publishers(self) -> None:
        """Raise the memory alarm, as a backlog does that grows beyond what the broker may use."""
        self.control("set_vm_memory_high_watermark", "0.00001")

    def admit_publishers(self) -> None:
        """End the memory alarm."""
        self.control("set_vm_memory_high_watermark", "absolute", MEMORY)

    def control(self, *words: str) -> None:
        """Run `rabbitmqctl` with these words; raise if it fails."""
        command = [str(self.directory / "rabbitmqctl"), "-q", *words]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=CONTROL_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise ServerError(f"rabbitmq: {words[0]} did not end within {CONTROL_SECONDS} s") from None
        if done.returncode:
            raise ServerError(f"rabbitmq: {words[0]}: {done.stdout}{done.stderr}")

    def _permit(self, vhost: str, user: str, configure: str, write: str, read: str) -> None:
        rights = {"configure": configure, "write": write, "read": read}
        self.api("PUT", f"permissions/{_quoted(vhost)}/{_quoted(user)}", rights)

    def _request(self, method: str, path: str, body: object = None) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.management_url}/api/{path}",
            json=body,
            auth=(self.user, self.password),
            timeout=10,
            trust_env=False,
        )


SETTINGS = ("host", "management_port", "prometheus_port", "user", "password", "vhost")


def _programs() -> Path:
    return Path(os.environ.get(CHOICE) or PROGRAMS)


def _quoted(name: str) -> str:
    return quote(name, safe="")
