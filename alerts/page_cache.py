"""To come."""

ALERTS = ()
