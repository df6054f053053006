"""Game days: every fault of the sandbox against the whole pack, rules running faster than in life."""
