"""What dashboards and alerts are built with."""
