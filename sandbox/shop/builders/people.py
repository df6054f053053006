"""Obviously invented people. Every value that is personal carries a mark, so a test can search for leaks."""

from dataclasses import dataclass
from typing import Final

PERSONAL_MARK: Final = "private"
"""Found, in this or other case, in every personal text the sandbox writes to a database."""

SHOPPER_ADDRESSES: Final = "203.0.113."
"""Shoppers' IP addresses begin so (TEST-NET-3)."""

CARDING_ADDRESS: Final = "198.51.100.66"
"""Where card testers come from (TEST-NET-2)."""


@dataclass(frozen=True, slots=True)
class Person:
    """One invented shopper, told apart by a number."""

    number: int

    @property
    def firstname(self) -> str:
        """Given name."""
        return "Private"

    @property
    def lastname(self) -> str:
        """Family name."""
        return f"Private-Shopper-{self.number}"

    @property
    def name(self) -> str:
        """Both names, as grids show them."""
        return f"{self.firstname} {self.lastname}"

    @property
    def email(self) -> str:
        """E-mail address in a domain that cannot exist."""
        return f"private-shopper-{self.number}@private.invalid"

    @property
    def ip(self) -> str:
        """IP address from the range reserved for documentation."""
        return f"{SHOPPER_ADDRESSES}{1 + self.number % 250}"

    def address(self) -> dict[str, object]:
        """Return the columns that quote and order addresses share."""
        return {
            "email": self.email,
            "firstname": self.firstname,
            "lastname": self.lastname,
            "street": f"{self.number} Private Street",
            "city": "Privateville",
            "postcode": "0000 XX",
            "telephone": f"private-{self.number}",
            "country_id": "NL",
            "region": "Private Region",
        }
