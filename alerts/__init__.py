"""The alert catalogue: one file a subject; rules, routes, tests and pages are generated from it."""
