"""Shops simulated minute by minute, the generated rules over them, and the notifications that follow."""
