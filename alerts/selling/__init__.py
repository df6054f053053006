"""Is the shop selling? Compared with its own past weeks, and only when chance is no explanation.

The surprise of seeing only ``k`` orders where ``E`` were to be expected is bounded by
``E - k + k ln(k / E)`` nats, the exponent of Chernoff's bound for a Poisson count. A
rule asks for surprise *and* effect: significance alone pages a busy shop for small
drifts, effect alone a small shop for luck. At night ``E`` is small, so is the surprise.
"""
