"""Is the shop selling? Compared with its own past weeks, and only when chance is no explanation.

If only ``k`` orders come where ``E`` are expected, the surprise is ``E - k + k ln(k / E)`` nats. This is the
exponent of Chernoff's bound for a Poisson count. A rule asks for surprise *and* effect. With surprise alone,
small drifts would fire in a busy shop; with effect alone, chance would fire in a small one. At night ``E`` is
small, and so is the surprise.
"""
