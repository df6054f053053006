"""Evidence: what was seen of the shop when an alert fired, and which hypothesis of its runbook fits."""
