-- Message queue and bulk operations (connection default) of 2.4.9.

CREATE TABLE `{prefix}queue` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `name` varchar(255) NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    UNIQUE KEY `QUEUE_NAME` (`name`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}queue_message` (
    `id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `topic_name` varchar(255) NULL DEFAULT NULL,
    `body` longtext NULL,
    PRIMARY KEY (`id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}queue_message_status` (
    `id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `queue_id` int unsigned NOT NULL,
    `message_id` bigint unsigned NOT NULL,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `status` smallint unsigned NOT NULL,
    `number_of_trials` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`id`),
    UNIQUE KEY `QUEUE_MESSAGE_STATUS_QUEUE_ID_MESSAGE_ID` (`queue_id`, `message_id`),
    KEY `QUEUE_MESSAGE_STATUS_STATUS_UPDATED_AT` (`status`, `updated_at`),
    FOREIGN KEY (`message_id`) REFERENCES `{prefix}queue_message` (`id`) ON DELETE CASCADE,
    FOREIGN KEY (`queue_id`) REFERENCES `{prefix}queue` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}queue_lock` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `message_code` varchar(255) NOT NULL DEFAULT '',
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`),
    UNIQUE KEY `QUEUE_LOCK_MESSAGE_CODE` (`message_code`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}queue_poison_pill` (
    `version` varchar(255) NOT NULL
) ENGINE=InnoDB;

CREATE TABLE `{prefix}magento_bulk` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `uuid` varbinary(39) NULL DEFAULT NULL,
    `user_id` int unsigned NULL DEFAULT NULL,
    `user_type` int NULL DEFAULT NULL,
    `description` varchar(255) NULL DEFAULT NULL,
    `operation_count` int unsigned NOT NULL,
    `start_time` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`),
    UNIQUE KEY `MAGENTO_BULK_UUID` (`uuid`),
    KEY `MAGENTO_BULK_USER_ID_ADMIN_USER_USER_ID` (`user_id`),
    KEY `MAGENTO_BULK_START_TIME` (`start_time`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}magento_operation` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `operation_key` int unsigned NULL DEFAULT NULL,
    `bulk_uuid` varbinary(39) NULL DEFAULT NULL,
    `topic_name` varchar(255) NULL DEFAULT NULL,
    `serialized_data` blob NULL,
    `result_serialized_data` blob NULL,
    `status` smallint NULL DEFAULT 0,
    `error_code` smallint NULL DEFAULT NULL,
    `result_message` varchar(255) NULL DEFAULT NULL,
    `started_at` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    KEY `MAGENTO_OPERATION_BULK_UUID_ERROR_CODE` (`bulk_uuid`, `error_code`),
    KEY `MAGENTO_OPERATION_STATUS_STARTED_AT` (`status`, `started_at`),
    FOREIGN KEY (`bulk_uuid`) REFERENCES `{prefix}magento_bulk` (`uuid`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}magento_acknowledged_bulk` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `bulk_uuid` varbinary(39) NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    UNIQUE KEY `MAGENTO_ACKNOWLEDGED_BULK_BULK_UUID` (`bulk_uuid`),
    FOREIGN KEY (`bulk_uuid`) REFERENCES `{prefix}magento_bulk` (`uuid`) ON DELETE CASCADE
) ENGINE=InnoDB;
