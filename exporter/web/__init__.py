"""The HTTP surface: metrics, health, landing page, runbooks. It knows the runner and nothing behind it."""
