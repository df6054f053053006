"""PromQL as a typed tree, built from metric specs. Only :mod:`promql.render` knows its text."""
