"""Runbooks: their form, their commands, their queries."""
