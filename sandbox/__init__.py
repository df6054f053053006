"""A shop to observe: real servers on loopback, a simulated shop, faults that can be switched on."""
