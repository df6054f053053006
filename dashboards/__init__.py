"""The dashboards, as code: one file a dashboard."""
