-- From 2.4.8 back to 2.4.6.

ALTER TABLE `{prefix}quote`
    DROP INDEX `QUOTE_STORE_ID_UPDATED_AT`,
    ADD INDEX `QUOTE_STORE_ID` (`store_id`);

ALTER TABLE `{prefix}quote_item`
    MODIFY `price` decimal(12,4) NOT NULL DEFAULT 0,
    MODIFY `base_price` decimal(12,4) NOT NULL DEFAULT 0,
    MODIFY `custom_price` decimal(12,4) DEFAULT NULL;

ALTER TABLE `{prefix}sales_order`
    DROP INDEX `SALES_ORDER_STORE_STATE_CREATED`,
    MODIFY `email_sent` smallint unsigned DEFAULT NULL;

ALTER TABLE `{prefix}sales_invoice` MODIFY `email_sent` smallint unsigned DEFAULT NULL;

ALTER TABLE `{prefix}sales_shipment` MODIFY `email_sent` smallint unsigned DEFAULT NULL;

ALTER TABLE `{prefix}sales_creditmemo` MODIFY `email_sent` smallint unsigned DEFAULT NULL;

DROP TABLE `{prefix}sales_order_status_change_history`;

ALTER TABLE `{prefix}search_query`
    DROP INDEX `SEARCH_QUERY_STORE_ID_NUM_RESULTS_POPULARITY`,
    DROP INDEX `SEARCH_QUERY_QUERY_TEXT_STORE_ID_NUM_RESULTS_POPULARITY`,
    ADD INDEX `SEARCH_QUERY_STORE_ID` (`store_id`),
    ADD INDEX `SEARCH_QUERY_STORE_ID_POPULARITY` (`store_id`, `popularity`),
    ADD INDEX `SEARCH_QUERY_QUERY_TEXT_STORE_ID_POPULARITY` (`query_text`, `store_id`, `popularity`);

ALTER TABLE `{prefix}vault_payment_token` DROP COLUMN `website_id`;
