"""Admin accounts, their failed logins and script tags against what was written."""

from exporter.collectors.security import SecurityCollector
from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import ShopInMariaDB, shop_in_mariadb

OF_THE_SHOP = {
    ("magento_admin_users",): 1.0,
    ("magento_admin_failed_logins",): 0.0,
    ("magento_script_tags", "cms_block"): 0.0,
    ("magento_script_tags", "cms_page"): 0.0,
    ("magento_script_tags", "configuration"): 0.0,
}


def _account(observed: ShopInMariaDB, name: str, failed: int | None, *, active: int = 1) -> None:
    observed.shop.database.insert(
        "admin_user", username=name, password="", is_active=active, failures_num=failed
    )


def test_accounts_failures_and_tags_equal_the_truth(mariadb: MariaDB) -> None:
    with shop_in_mariadb(mariadb, prefix="m_") as observed:
        database = observed.shop.database
        assert observed.run(SecurityCollector()) == OF_THE_SHOP
        _account(observed, "new", 7)
        _account(observed, "old", None)
        _account(observed, "left", 90, active=0)
        content = "<p>Grüße</p><SCRIPT src='//x'></SCRIPT>İ<script>1</script>"
        database.insert("cms_block", title="", identifier="a", content=content)
        database.insert("cms_block", title="", identifier="b", content=None)
        database.insert("cms_page", title="", identifier="c", content="<scr<script>ipt>")
        for path in ("design/head/includes", "payment/secret/key"):
            database.insert(
                "core_config_data", scope="default", scope_id=0, path=path, value="<script></script>"
            )
        assert observed.run(SecurityCollector()) == {
            ("magento_admin_users",): 3.0,
            ("magento_admin_failed_logins",): 7.0,
            ("magento_script_tags", "cms_block"): 2.0,
            ("magento_script_tags", "cms_page"): 1.0,
            ("magento_script_tags", "configuration"): 1.0,
        }
