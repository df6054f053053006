"""What can go wrong with the sandbox itself. The exporter has its own tree and knows nothing of this one."""


class SandboxError(Exception):
    """One clear line for the person at the terminal; a log's last lines may follow it."""


class ServerError(SandboxError):
    """A server did not start, ended early, or did not do in time what it should."""
