"""What the counters must say, by queries that share nothing with the collectors'."""

from __future__ import annotations

from sandbox.shop.builders.shop import Shop

STAGES = ("cart", "shipping_address", "shipping_method", "payment_method", "placement_attempt", "order")

_FUNNEL = """
SELECT COALESCE(s.code, '(deleted)') AS store, IF(q.customer_id IS NULL, 'guest', 'registered') AS customer,
       SUM(1) AS cart,
       SUM(NOT q.is_virtual AND (o.quote_id IS NOT NULL OR EXISTS (
           SELECT 1 FROM {quote_address} a WHERE a.quote_id = q.entity_id AND a.address_type = 'shipping'
           AND a.country_id <> ''))) AS shipping_address,
       SUM(NOT q.is_virtual AND (o.quote_id IS NOT NULL OR EXISTS (
           SELECT 1 FROM {quote_address} a WHERE a.quote_id = q.entity_id AND a.address_type = 'shipping'
           AND a.shipping_method <> ''))) AS shipping_method,
       SUM(o.quote_id IS NOT NULL OR EXISTS (
           SELECT 1 FROM {quote_payment} p
           WHERE p.quote_id = q.entity_id AND p.method <> '')) AS payment_method,
       SUM(o.quote_id IS NOT NULL OR COALESCE(q.reserved_order_id, '') <> '') AS placement_attempt,
       SUM(o.quote_id IS NOT NULL) AS `order`
FROM {quote} q
LEFT JOIN {store} s ON s.store_id = q.store_id
LEFT JOIN (SELECT DISTINCT quote_id FROM {sales_order}) o ON o.quote_id = q.entity_id
WHERE q.entity_id > %s AND q.items_count > 0 AND (q.is_active = 1 OR o.quote_id IS NOT NULL)
GROUP BY 1, 2
"""

_PLACEMENTS = """
SELECT SUM(o.entity_id IS NOT NULL OR q.entity_id IS NULL),
       SUM(o.entity_id IS NULL AND q.entity_id IS NULL),
       SUM(o.entity_id IS NULL AND q.entity_id IS NOT NULL)
FROM {sequence} s
LEFT JOIN {sales_order} o
    ON o.store_id = %s AND o.increment_id = CONCAT(%s, LPAD(s.sequence_value, 9, '0'))
LEFT JOIN {quote} q ON q.store_id = %s AND q.is_active = 1
    AND q.reserved_order_id = CONCAT(%s, LPAD(s.sequence_value, 9, '0'))
WHERE s.sequence_value > %s
"""


def funnel(shop: Shop, after: int) -> dict[tuple[str, str, str], int]:
    """Return (store, stage, customer) to carts with ids above one, where there are any."""
    return {
        (str(row[0]), stage, str(row[1])): int(number)
        for row in shop.database.rows(_FUNNEL, (after,))
        for stage, number in zip(STAGES, row[2:], strict=True)
        if number
    }


def sequence_tops(shop: Shop) -> dict[str, int]:
    """Return every store's largest order number."""
    return {
        store.code: int(
            shop.database.value(
                f"SELECT COALESCE(MAX(sequence_value), 0) FROM {{sequence_order_{store.store_id}}}"
            )
        )
        for store in shop.stores.values()
    }


def placements(shop: Shop, after: dict[str, int]) -> dict[str, tuple[int, int, int]]:
    """Return per store the attempts, the failed ones, and the numbers that an active cart keeps."""
    found: dict[str, tuple[int, int, int]] = {}
    for store in shop.stores.values():
        prefix = shop.stock.number_prefix("order", store.store_id)
        row = shop.database.row(
            _PLACEMENTS.replace("{sequence}", f"{{sequence_order_{store.store_id}}}"),
            (store.store_id, prefix, store.store_id, prefix, after[store.code]),
        )
        attempts, failed, waiting = (int(number or 0) for number in row)
        found[store.code] = (attempts, failed, waiting)
    return found
