"""Store views: the tables and rows that come with one, at the installation or on a shop that runs."""

from collections.abc import Iterable

from sandbox.shop import magento
from sandbox.shop.database import ShopDatabase


def add_sequences(
    database: ShopDatabase, store_id: int, entities: Iterable[str] = magento.SEQUENCE_ENTITIES
) -> None:
    """Create a store's tables of numbers. The first store's have no prefix; later ones' begin with the id."""
    for entity in entities:
        name = f"sequence_{entity}_{store_id}"
        database.execute(
            f"CREATE TABLE {{{name}}}"
            " (`sequence_value` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB"
        )
        meta = database.insert(
            "sales_sequence_meta",
            entity_type=entity,
            store_id=store_id,
            sequence_table=f"{database.prefix}{name}",
        )
        database.insert(
            "sales_sequence_profile",
            meta_id=meta,
            prefix=str(store_id) if store_id > 1 else None,
            start_value=1,
            step=1,
            max_value=magento.SEQUENCE_MAX,
            warning_value=magento.SEQUENCE_WARNING,
            is_active=1,
        )


def open_store_view(database: ShopDatabase, code: str) -> int:
    """Open a store view in the first website, as the admin does on a shop that runs; return its id.

    Its tables of numbers are new. Nobody has granted the exporter's user to read them.
    """
    store_id = int(database.value("SELECT MAX(store_id) + 1 FROM {store}"))
    database.insert(
        "store",
        store_id=store_id,
        code=code,
        website_id=1,
        group_id=1,
        name=f"Store View {code}",
        is_active=1,
    )
    add_sequences(database, store_id)
    return store_id
