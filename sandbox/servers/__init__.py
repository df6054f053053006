"""One class a server. All share the interface of `sandbox.servers.base.Server`."""
