"""What an alert is, and what is generated from it."""
