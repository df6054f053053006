-- From 2.4.3 back to 2.3.7.

ALTER TABLE `{prefix}cron_schedule`
    DROP INDEX `CRON_SCHEDULE_JOB_CODE_STATUS_SCHEDULED_AT`,
    ADD INDEX `CRON_SCHEDULE_JOB_CODE` (`job_code`),
    ADD INDEX `CRON_SCHEDULE_SCHEDULED_AT_STATUS` (`scheduled_at`, `status`);

ALTER TABLE `{prefix}quote` MODIFY `customer_note` varchar(255) DEFAULT NULL;

ALTER TABLE `{prefix}sales_order` MODIFY `x_forwarded_for` varchar(32) DEFAULT NULL;

ALTER TABLE `{prefix}sales_order_grid`
    DROP INDEX `SALES_ORDER_GRID_PICKUP_LOCATION_CODE`,
    DROP COLUMN `pickup_location_code`,
    ADD COLUMN `signifyd_guarantee_status` varchar(32) DEFAULT NULL;

ALTER TABLE `{prefix}magento_operation` DROP COLUMN `operation_key`;

ALTER TABLE `{prefix}magento_bulk` DROP INDEX `MAGENTO_BULK_START_TIME`;

DROP TABLE `{prefix}admin_user_expiration`;

DROP TABLE `{prefix}tfa_user_config`;
