"""The shop that several folders of tests look at; it is made when the first test asks for it."""

from tests.support.shop import reference, shop_server

__all__ = ["reference", "shop_server"]
