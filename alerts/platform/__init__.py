"""What the shop stands on: database, Redis, search, PHP, the edge and the machines, by their exporters."""
