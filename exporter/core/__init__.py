"""The engine: specs, the collector protocol, runner, memory and rendering. No file, no socket."""
