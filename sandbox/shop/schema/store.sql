-- Stores and configuration (connection default) of 2.4.9.

CREATE TABLE `{prefix}store` (
    `store_id` smallint unsigned NOT NULL AUTO_INCREMENT,
    `code` varchar(32) NULL DEFAULT NULL,
    `website_id` smallint unsigned NOT NULL DEFAULT 0,
    `group_id` smallint unsigned NOT NULL DEFAULT 0,
    `name` varchar(255) NOT NULL,
    `sort_order` smallint unsigned NOT NULL DEFAULT 0,
    `is_active` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`store_id`),
    UNIQUE KEY `STORE_CODE` (`code`),
    KEY `STORE_WEBSITE_ID` (`website_id`),
    KEY `STORE_IS_ACTIVE_SORT_ORDER` (`is_active`, `sort_order`),
    KEY `STORE_GROUP_ID` (`group_id`),
    FOREIGN KEY (`group_id`) REFERENCES `{prefix}store_group` (`group_id`) ON DELETE CASCADE,
    FOREIGN KEY (`website_id`) REFERENCES `{prefix}store_website` (`website_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}store_website` (
    `website_id` smallint unsigned NOT NULL AUTO_INCREMENT,
    `code` varchar(32) NULL DEFAULT NULL,
    `name` varchar(64) NULL DEFAULT NULL,
    `sort_order` smallint unsigned NOT NULL DEFAULT 0,
    `default_group_id` smallint unsigned NOT NULL DEFAULT 0,
    `is_default` smallint unsigned NULL DEFAULT 0,
    PRIMARY KEY (`website_id`),
    UNIQUE KEY `STORE_WEBSITE_CODE` (`code`),
    KEY `STORE_WEBSITE_SORT_ORDER` (`sort_order`),
    KEY `STORE_WEBSITE_DEFAULT_GROUP_ID` (`default_group_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}store_group` (
    `group_id` smallint unsigned NOT NULL AUTO_INCREMENT,
    `website_id` smallint unsigned NOT NULL DEFAULT 0,
    `name` varchar(255) NOT NULL,
    `root_category_id` int unsigned NOT NULL DEFAULT 0,
    `default_store_id` smallint unsigned NOT NULL DEFAULT 0,
    `code` varchar(32) NULL DEFAULT NULL,
    PRIMARY KEY (`group_id`),
    UNIQUE KEY `STORE_GROUP_CODE` (`code`),
    KEY `STORE_GROUP_WEBSITE_ID` (`website_id`),
    KEY `STORE_GROUP_DEFAULT_STORE_ID` (`default_store_id`),
    FOREIGN KEY (`website_id`) REFERENCES `{prefix}store_website` (`website_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}core_config_data` (
    `config_id` int unsigned NOT NULL AUTO_INCREMENT,
    `scope` varchar(8) NOT NULL DEFAULT 'default',
    `scope_id` int NOT NULL DEFAULT 0,
    `path` varchar(255) NOT NULL DEFAULT 'general',
    `value` text NULL,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`config_id`),
    UNIQUE KEY `CORE_CONFIG_DATA_SCOPE_SCOPE_ID_PATH` (`scope`, `scope_id`, `path`)
) ENGINE=InnoDB;
