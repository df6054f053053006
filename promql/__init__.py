"""PromQL built from metric specs: what rules and panels ask, and cannot ask of a metric that has it not."""
