-- From 2.4.9 back to 2.4.8.

ALTER TABLE `{prefix}mview_state` MODIFY `version_id` int unsigned NULL DEFAULT NULL;

ALTER TABLE `{prefix}sales_order` DROP INDEX `SALES_ORDER_CUSTOMER_EMAIL_IS_GUEST_STORE_ID`;

ALTER TABLE `{prefix}admin_user_session` MODIFY `ip` varchar(15) NOT NULL;

ALTER TABLE `{prefix}password_reset_request_event` MODIFY `ip` varchar(15) NOT NULL;
