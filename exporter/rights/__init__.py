"""The rights of the exporter's own login: the statements that give them, and what an existing one lacks."""
