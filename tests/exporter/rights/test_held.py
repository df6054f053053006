"""What SHOW GRANTS says, in the words of both servers, and what of it is taken away."""

from __future__ import annotations

import pytest

from exporter.rights.held import beyond_reading, held, roles, sees_all, surplus

WANTED = {("shop", "quote"): {"entity_id", "store_id"}}
OF_MYSQL = (
    "GRANT USAGE ON *.* TO `e`@`%`",
    "GRANT SELECT (`entity_id`, `store_id`) ON `shop`.`quote` TO `e`@`%`",
)
OF_MARIADB = (
    "GRANT USAGE ON *.* TO `e`@`%` IDENTIFIED BY PASSWORD '*94BDC' WITH MAX_USER_CONNECTIONS 8",
    "GRANT SELECT (`store_id`, `entity_id`) ON `shop`.`quote` TO `e`@`%`",
)


@pytest.mark.parametrize("lines", [OF_MYSQL, OF_MARIADB], ids=["mysql", "mariadb"])
def test_exactly_what_is_wanted_leaves_nothing_to_revoke(lines: tuple[str, ...]) -> None:
    assert list(surplus("'e'@'%'", lines, WANTED)) == []
    assert beyond_reading(lines) == []
    assert not sees_all(held(lines), "shop")


@pytest.mark.parametrize(
    ("line", "statements"),
    [
        (
            "GRANT SELECT (`entity_id`, `customer_email`) ON `shop`.`quote` TO `e`@`%`",
            ["REVOKE SELECT (`customer_email`) ON `shop`.`quote` FROM e"],
        ),
        (
            "GRANT SELECT (`email`) ON `shop`.`customer_entity` TO `e`@`%`",
            ["REVOKE SELECT (`email`) ON `shop`.`customer_entity` FROM e"],
        ),
        (
            "GRANT SELECT ON `shop`.`quote` TO `e`@`%`",
            [
                "REVOKE SELECT ON `shop`.`quote` FROM e",
                "GRANT SELECT (`entity_id`, `store_id`) ON `shop`.`quote` TO e",
            ],
        ),
        (
            "GRANT SELECT, INSERT (`a`) ON `shop`.`other` TO `e`@`%`",
            ["REVOKE SELECT ON `shop`.`other` FROM e", "REVOKE INSERT ON `shop`.`other` FROM e"],
        ),
        (
            "GRANT ALL PRIVILEGES ON `my\\_shop`.* TO `e`@`%` WITH GRANT OPTION",
            ["REVOKE ALL PRIVILEGES ON `my\\_shop`.* FROM e", "REVOKE GRANT OPTION ON `my\\_shop`.* FROM e"],
        ),
        (
            "GRANT SHOW VIEW, BINLOG_ADMIN ON *.* TO `e`@`%`",
            ["REVOKE SHOW VIEW ON *.* FROM e", "REVOKE BINLOG_ADMIN ON *.* FROM e"],
        ),
        (
            "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `e`@`%`",
            ["REVOKE EXECUTE ON PROCEDURE `shop`.`p` FROM e"],
        ),
        ("GRANT `readers`@`%` TO `e`@`%`", ["REVOKE `readers`@`%` FROM e"]),
        ("GRANT PROXY ON ``@`%` TO `e`@`%` WITH GRANT OPTION", []),
        ("SET DEFAULT ROLE NONE FOR `e`@`%`", []),
        ("GRANT SELECT (`a``b`) ON `s``x`.`t` TO `e`@`%`", ["REVOKE SELECT (`a``b`) ON `s``x`.`t` FROM e"]),
    ],
)  # fmt: skip
def test_what_is_more_than_wanted_is_revoked(line: str, statements: list[str]) -> None:
    assert list(surplus("e", [line], WANTED)) == statements


def test_a_database_in_a_grant_is_a_pattern() -> None:
    anybody = held(["GRANT SELECT ON `my\\_shop`.* TO `e`@`%`"])
    assert sees_all(anybody, "my_shop")
    assert not sees_all(anybody, "my1shop")
    assert sees_all(held(["GRANT ALL PRIVILEGES ON `my%`.* TO `e`@`%`"]), "my_shop")
    assert sees_all(held(["GRANT SELECT ON *.* TO `e`@`%`"]), "my_shop")
    assert not sees_all(held(["GRANT INSERT ON *.* TO `e`@`%`"]), "my_shop")


def test_a_role_of_mariadb_has_no_host() -> None:
    assert roles(["GRANT readers TO `e`@`%`"]) == ["readers"]
