"""The server that every test of the matrix shares."""

from tests.support.shop import shop_server

__all__ = ["shop_server"]
