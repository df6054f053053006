"""What an earlier version left behind: its state file, the rights of its database user, its dashboards."""
