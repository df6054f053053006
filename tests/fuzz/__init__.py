"""Tests that try what nobody thought of."""
