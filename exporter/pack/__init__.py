"""Rules, dashboards and configurations with the user's own addresses, from what the wheel carries along."""
