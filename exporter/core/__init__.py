"""The pure heart: specs, counting, running and rendering. It opens no file and no socket."""
