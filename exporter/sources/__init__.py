"""The only place that imports a driver or opens a socket or a file. Implements ``exporter.core.ports``."""
