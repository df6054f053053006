-- Catalog, search, inventory, rules, newsletter and the rest (connection default) of 2.4.9.

CREATE TABLE `{prefix}search_query` (
    `query_id` int unsigned NOT NULL AUTO_INCREMENT,
    `query_text` varchar(255) NULL DEFAULT NULL,
    `num_results` int unsigned NOT NULL DEFAULT 0,
    `popularity` int unsigned NOT NULL DEFAULT 0,
    `redirect` varchar(255) NULL DEFAULT NULL,
    `store_id` smallint unsigned NOT NULL DEFAULT 0,
    `display_in_terms` smallint NOT NULL DEFAULT 1,
    `is_active` smallint NULL DEFAULT 1,
    `is_processed` smallint NULL DEFAULT 0,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`query_id`),
    UNIQUE KEY `SEARCH_QUERY_QUERY_TEXT_STORE_ID` (`query_text`, `store_id`),
    KEY `SEARCH_QUERY_IS_PROCESSED` (`is_processed`),
    KEY `SEARCH_QUERY_STORE_ID_NUM_RESULTS_POPULARITY` (`store_id`, `num_results`, `popularity`),
    KEY `SEARCH_QUERY_QUERY_TEXT_STORE_ID_NUM_RESULTS_POPULARITY` (`query_text`, `store_id`, `num_results`, `popularity`),
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalog_product_entity` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `attribute_set_id` smallint unsigned NOT NULL DEFAULT 0,
    `type_id` varchar(32) NOT NULL DEFAULT 'simple',
    `sku` varchar(64) NOT NULL,
    `has_options` smallint NOT NULL DEFAULT 0,
    `required_options` smallint unsigned NOT NULL DEFAULT 0,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`entity_id`),
    KEY `CATALOG_PRODUCT_ENTITY_ATTRIBUTE_SET_ID` (`attribute_set_id`),
    KEY `CATALOG_PRODUCT_ENTITY_SKU` (`sku`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}cataloginventory_stock_item` (
    `item_id` int unsigned NOT NULL AUTO_INCREMENT,
    `product_id` int unsigned NOT NULL DEFAULT 0,
    `stock_id` smallint unsigned NOT NULL DEFAULT 0,
    `qty` decimal(12,4) NULL DEFAULT NULL,
    `min_qty` decimal(12,4) NOT NULL DEFAULT 0,
    `use_config_min_qty` smallint unsigned NOT NULL DEFAULT 1,
    `backorders` smallint unsigned NOT NULL DEFAULT 0,
    `use_config_backorders` smallint unsigned NOT NULL DEFAULT 1,
    `is_in_stock` smallint unsigned NOT NULL DEFAULT 0,
    `low_stock_date` timestamp NULL DEFAULT NULL,
    `notify_stock_qty` decimal(12,4) NULL DEFAULT NULL,
    `use_config_notify_stock_qty` smallint unsigned NOT NULL DEFAULT 1,
    `manage_stock` smallint unsigned NOT NULL DEFAULT 0,
    `use_config_manage_stock` smallint unsigned NOT NULL DEFAULT 1,
    `stock_status_changed_auto` smallint unsigned NOT NULL DEFAULT 0,
    `website_id` smallint unsigned NOT NULL DEFAULT 0,
    `is_qty_decimal` smallint unsigned NOT NULL DEFAULT 0,
    `min_sale_qty` decimal(12,4) NOT NULL DEFAULT 1,
    `use_config_min_sale_qty` smallint unsigned NOT NULL DEFAULT 1,
    `max_sale_qty` decimal(12,4) NOT NULL DEFAULT 0,
    `use_config_max_sale_qty` smallint unsigned NOT NULL DEFAULT 1,
    `use_config_qty_increments` smallint unsigned NOT NULL DEFAULT 1,
    `qty_increments` decimal(12,4) NOT NULL DEFAULT 0,
    `use_config_enable_qty_inc` smallint unsigned NOT NULL DEFAULT 1,
    `enable_qty_increments` smallint unsigned NOT NULL DEFAULT 0,
    `is_decimal_divided` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`item_id`),
    UNIQUE KEY `CATALOGINVENTORY_STOCK_ITEM_PRODUCT_ID_STOCK_ID` (`product_id`, `stock_id`),
    KEY `CATALOGINVENTORY_STOCK_ITEM_WEBSITE_ID` (`website_id`),
    KEY `CATALOGINVENTORY_STOCK_ITEM_WEBSITE_ID_PRODUCT_ID` (`website_id`, `product_id`),
    KEY `CATALOGINVENTORY_STOCK_ITEM_STOCK_ID` (`stock_id`),
    FOREIGN KEY (`product_id`) REFERENCES `{prefix}catalog_product_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`stock_id`) REFERENCES `{prefix}cataloginventory_stock` (`stock_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}cataloginventory_stock_status` (
    `product_id` int unsigned NOT NULL,
    `website_id` smallint unsigned NOT NULL,
    `stock_id` smallint unsigned NOT NULL,
    `qty` decimal(12,4) NOT NULL DEFAULT 0,
    `stock_status` smallint unsigned NOT NULL,
    PRIMARY KEY (`product_id`, `website_id`, `stock_id`),
    KEY `CATALOGINVENTORY_STOCK_STATUS_STOCK_ID` (`stock_id`),
    KEY `CATALOGINVENTORY_STOCK_STATUS_WEBSITE_ID` (`website_id`),
    KEY `CATALOGINVENTORY_STOCK_STATUS_STOCK_STATUS` (`stock_status`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}inventory_source_item` (
    `source_item_id` int unsigned NOT NULL AUTO_INCREMENT,
    `source_code` varchar(255) NOT NULL,
    `sku` varchar(64) NOT NULL,
    `quantity` decimal(12,4) NOT NULL DEFAULT 0,
    `status` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`source_item_id`),
    UNIQUE KEY `INVENTORY_SOURCE_ITEM_SOURCE_CODE_SKU` (`source_code`, `sku`),
    KEY `INVENTORY_SOURCE_ITEM_SKU_SOURCE_CODE_QUANTITY` (`sku`, `source_code`, `quantity`),
    FOREIGN KEY (`source_code`) REFERENCES `{prefix}inventory_source` (`source_code`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}inventory_reservation` (
    `reservation_id` int unsigned NOT NULL AUTO_INCREMENT,
    `stock_id` int unsigned NOT NULL,
    `sku` varchar(64) NOT NULL,
    `quantity` decimal(10,4) NOT NULL DEFAULT 0,
    `metadata` varchar(255) NULL DEFAULT NULL,
    PRIMARY KEY (`reservation_id`),
    KEY `INVENTORY_RESERVATION_STOCK_ID_SKU_QUANTITY` (`stock_id`, `sku`, `quantity`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}inventory_source` (
    `source_code` varchar(255) NOT NULL,
    `is_pickup_location_active` tinyint(1) NOT NULL DEFAULT 0,
    `frontend_name` varchar(255) NULL DEFAULT '',
    `frontend_description` text NULL,
    `name` varchar(255) NOT NULL,
    `enabled` smallint unsigned NOT NULL DEFAULT 1,
    `description` text NULL,
    `latitude` decimal(8,6) NULL DEFAULT NULL,
    `longitude` decimal(9,6) NULL DEFAULT NULL,
    `country_id` varchar(2) NOT NULL,
    `region_id` int unsigned NULL DEFAULT NULL,
    `region` varchar(255) NULL DEFAULT NULL,
    `city` varchar(255) NULL DEFAULT NULL,
    `street` varchar(255) NULL DEFAULT NULL,
    `postcode` varchar(255) NOT NULL,
    `contact_name` varchar(255) NULL DEFAULT NULL,
    `email` varchar(255) NULL DEFAULT NULL,
    `phone` varchar(255) NULL DEFAULT NULL,
    `fax` varchar(255) NULL DEFAULT NULL,
    `use_default_carrier_config` smallint unsigned NOT NULL DEFAULT 1,
    PRIMARY KEY (`source_code`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}inventory_stock` (
    `stock_id` int unsigned NOT NULL AUTO_INCREMENT,
    `name` varchar(255) NOT NULL,
    PRIMARY KEY (`stock_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}inventory_source_stock_link` (
    `link_id` int unsigned NOT NULL AUTO_INCREMENT,
    `stock_id` int unsigned NOT NULL,
    `source_code` varchar(255) NOT NULL,
    `priority` smallint unsigned NOT NULL,
    PRIMARY KEY (`link_id`),
    UNIQUE KEY `INVENTORY_SOURCE_STOCK_LINK_STOCK_ID_SOURCE_CODE` (`stock_id`, `source_code`),
    KEY `INVENTORY_SOURCE_STOCK_LINK_STOCK_ID_PRIORITY` (`stock_id`, `priority`),
    FOREIGN KEY (`stock_id`) REFERENCES `{prefix}inventory_stock` (`stock_id`) ON DELETE CASCADE,
    FOREIGN KEY (`source_code`) REFERENCES `{prefix}inventory_source` (`source_code`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}inventory_stock_sales_channel` (
    `type` varchar(64) NOT NULL,
    `code` varchar(64) NOT NULL,
    `stock_id` int unsigned NOT NULL,
    PRIMARY KEY (`type`, `code`),
    FOREIGN KEY (`stock_id`) REFERENCES `{prefix}inventory_stock` (`stock_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}url_rewrite` (
    `url_rewrite_id` int unsigned NOT NULL AUTO_INCREMENT,
    `entity_type` varchar(32) NOT NULL,
    `entity_id` int unsigned NOT NULL,
    `request_path` varchar(255) NULL DEFAULT NULL,
    `target_path` varchar(255) NULL DEFAULT NULL,
    `redirect_type` smallint unsigned NOT NULL DEFAULT 0,
    `store_id` smallint unsigned NOT NULL,
    `description` varchar(255) NULL DEFAULT NULL,
    `is_autogenerated` smallint unsigned NOT NULL DEFAULT 0,
    `metadata` varchar(255) NULL DEFAULT NULL,
    PRIMARY KEY (`url_rewrite_id`),
    UNIQUE KEY `URL_REWRITE_REQUEST_PATH_STORE_ID` (`request_path`, `store_id`),
    KEY `URL_REWRITE_TARGET_PATH` (`target_path`),
    KEY `URL_REWRITE_STORE_ID_ENTITY_ID` (`store_id`, `entity_id`),
    KEY `URL_REWRITE_ENTITY_ID` (`entity_id`),
    KEY `URL_REWRITE_IS_AUTOGENERATED_METADATA` (`is_autogenerated`, `metadata`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalog_url_rewrite_product_category` (
    `url_rewrite_id` int unsigned NOT NULL,
    `category_id` int unsigned NOT NULL,
    `product_id` int unsigned NOT NULL,
    PRIMARY KEY (`url_rewrite_id`),
    KEY `CATALOG_URL_REWRITE_PRODUCT_CATEGORY_CATEGORY_ID_PRODUCT_ID` (`category_id`, `product_id`),
    FOREIGN KEY (`product_id`) REFERENCES `{prefix}catalog_product_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`url_rewrite_id`) REFERENCES `{prefix}url_rewrite` (`url_rewrite_id`) ON DELETE CASCADE,
    FOREIGN KEY (`category_id`) REFERENCES `{prefix}catalog_category_entity` (`entity_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalogrule` (
    `rule_id` int unsigned NOT NULL AUTO_INCREMENT,
    `name` varchar(255) NULL DEFAULT NULL,
    `description` text NULL,
    `from_date` date NULL DEFAULT NULL,
    `to_date` date NULL DEFAULT NULL,
    `is_active` smallint NOT NULL DEFAULT 0,
    `conditions_serialized` mediumtext NULL,
    `actions_serialized` mediumtext NULL,
    `stop_rules_processing` smallint NOT NULL DEFAULT 1,
    `sort_order` int unsigned NOT NULL DEFAULT 0,
    `simple_action` varchar(32) NULL DEFAULT NULL,
    `discount_amount` decimal(20,6) NOT NULL DEFAULT 0,
    PRIMARY KEY (`rule_id`),
    KEY `CATALOGRULE_IS_ACTIVE_SORT_ORDER_TO_DATE_FROM_DATE` (`is_active`, `sort_order`, `to_date`, `from_date`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalogrule_product` (
    `rule_product_id` int unsigned NOT NULL AUTO_INCREMENT,
    `rule_id` int unsigned NOT NULL DEFAULT 0,
    `from_time` int unsigned NOT NULL DEFAULT 0,
    `to_time` int unsigned NOT NULL DEFAULT 0,
    `customer_group_id` int NULL DEFAULT NULL,
    `product_id` int unsigned NOT NULL DEFAULT 0,
    `action_operator` varchar(10) NULL DEFAULT 'to_fixed',
    `action_amount` decimal(20,6) NOT NULL DEFAULT 0,
    `action_stop` smallint NOT NULL DEFAULT 0,
    `sort_order` int unsigned NOT NULL DEFAULT 0,
    `website_id` smallint unsigned NOT NULL,
    PRIMARY KEY (`rule_product_id`),
    UNIQUE KEY `UNQ_EAA51B56FF092A0DCB795D1CEF812B7B` (`rule_id`, `from_time`, `to_time`, `website_id`, `customer_group_id`, `product_id`, `sort_order`),
    KEY `CATALOGRULE_PRODUCT_CUSTOMER_GROUP_ID` (`customer_group_id`),
    KEY `CATALOGRULE_PRODUCT_WEBSITE_ID` (`website_id`),
    KEY `CATALOGRULE_PRODUCT_FROM_TIME` (`from_time`),
    KEY `CATALOGRULE_PRODUCT_TO_TIME` (`to_time`),
    KEY `CATALOGRULE_PRODUCT_PRODUCT_ID` (`product_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalogrule_product_price` (
    `rule_product_price_id` int unsigned NOT NULL AUTO_INCREMENT,
    `rule_date` date NOT NULL,
    `customer_group_id` int NULL DEFAULT NULL,
    `product_id` int unsigned NOT NULL DEFAULT 0,
    `rule_price` decimal(20,6) NOT NULL DEFAULT 0,
    `website_id` smallint unsigned NOT NULL,
    `latest_start_date` date NULL DEFAULT NULL,
    `earliest_end_date` date NULL DEFAULT NULL,
    PRIMARY KEY (`rule_product_price_id`),
    UNIQUE KEY `CATRULE_PRD_PRICE_RULE_DATE_WS_ID_CSTR_GROUP_ID_PRD_ID` (`rule_date`, `website_id`, `customer_group_id`, `product_id`),
    KEY `CATALOGRULE_PRODUCT_PRICE_CUSTOMER_GROUP_ID` (`customer_group_id`),
    KEY `CATALOGRULE_PRODUCT_PRICE_WEBSITE_ID` (`website_id`),
    KEY `CATALOGRULE_PRODUCT_PRICE_PRODUCT_ID` (`product_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalog_product_index_price` (
    `entity_id` int unsigned NOT NULL,
    `customer_group_id` int unsigned NOT NULL,
    `website_id` smallint unsigned NOT NULL,
    `tax_class_id` smallint unsigned NULL DEFAULT 0,
    `price` decimal(20,6) NULL DEFAULT NULL,
    `final_price` decimal(20,6) NULL DEFAULT NULL,
    `min_price` decimal(20,6) NULL DEFAULT NULL,
    `max_price` decimal(20,6) NULL DEFAULT NULL,
    `tier_price` decimal(20,6) NULL DEFAULT NULL,
    PRIMARY KEY (`entity_id`, `customer_group_id`, `website_id`),
    KEY `CATALOG_PRODUCT_INDEX_PRICE_CUSTOMER_GROUP_ID` (`customer_group_id`),
    KEY `CATALOG_PRODUCT_INDEX_PRICE_MIN_PRICE` (`min_price`),
    KEY `CAT_PRD_IDX_PRICE_WS_ID_CSTR_GROUP_ID_MIN_PRICE` (`website_id`, `customer_group_id`, `min_price`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalogrule_group_website` (
    `rule_id` int unsigned NOT NULL DEFAULT 0,
    `customer_group_id` int unsigned NOT NULL DEFAULT 0,
    `website_id` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`rule_id`, `customer_group_id`, `website_id`),
    KEY `CATALOGRULE_GROUP_WEBSITE_CUSTOMER_GROUP_ID` (`customer_group_id`),
    KEY `CATALOGRULE_GROUP_WEBSITE_WEBSITE_ID` (`website_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}newsletter_queue` (
    `queue_id` int unsigned NOT NULL AUTO_INCREMENT,
    `template_id` int unsigned NOT NULL DEFAULT 0,
    `newsletter_type` int NULL DEFAULT NULL,
    `newsletter_text` text NULL,
    `newsletter_styles` text NULL,
    `newsletter_subject` varchar(200) NULL DEFAULT NULL,
    `newsletter_sender_name` varchar(200) NULL DEFAULT NULL,
    `newsletter_sender_email` varchar(200) NULL DEFAULT NULL,
    `queue_status` int unsigned NOT NULL DEFAULT 0,
    `queue_start_at` timestamp NULL DEFAULT NULL,
    `queue_finish_at` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`queue_id`),
    KEY `NEWSLETTER_QUEUE_TEMPLATE_ID` (`template_id`),
    FOREIGN KEY (`template_id`) REFERENCES `{prefix}newsletter_template` (`template_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}newsletter_queue_link` (
    `queue_link_id` int unsigned NOT NULL AUTO_INCREMENT,
    `queue_id` int unsigned NOT NULL DEFAULT 0,
    `subscriber_id` int unsigned NOT NULL DEFAULT 0,
    `letter_sent_at` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`queue_link_id`),
    KEY `NEWSLETTER_QUEUE_LINK_SUBSCRIBER_ID` (`subscriber_id`),
    KEY `NEWSLETTER_QUEUE_LINK_QUEUE_ID_LETTER_SENT_AT` (`queue_id`, `letter_sent_at`),
    FOREIGN KEY (`queue_id`) REFERENCES `{prefix}newsletter_queue` (`queue_id`) ON DELETE CASCADE,
    FOREIGN KEY (`subscriber_id`) REFERENCES `{prefix}newsletter_subscriber` (`subscriber_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}newsletter_problem` (
    `problem_id` int unsigned NOT NULL AUTO_INCREMENT,
    `subscriber_id` int unsigned NULL DEFAULT NULL,
    `queue_id` int unsigned NOT NULL DEFAULT 0,
    `problem_error_code` int unsigned NULL DEFAULT 0,
    `problem_error_text` varchar(200) NULL DEFAULT NULL,
    PRIMARY KEY (`problem_id`),
    KEY `NEWSLETTER_PROBLEM_SUBSCRIBER_ID` (`subscriber_id`),
    KEY `NEWSLETTER_PROBLEM_QUEUE_ID` (`queue_id`),
    FOREIGN KEY (`queue_id`) REFERENCES `{prefix}newsletter_queue` (`queue_id`) ON DELETE CASCADE,
    FOREIGN KEY (`subscriber_id`) REFERENCES `{prefix}newsletter_subscriber` (`subscriber_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}newsletter_subscriber` (
    `subscriber_id` int unsigned NOT NULL AUTO_INCREMENT,
    `store_id` smallint unsigned NULL DEFAULT 0,
    `change_status_at` timestamp NULL DEFAULT NULL,
    `customer_id` int unsigned NOT NULL DEFAULT 0,
    `subscriber_email` varchar(150) NULL DEFAULT NULL,
    `subscriber_status` int NOT NULL DEFAULT 0,
    `subscriber_confirm_code` varchar(32) NULL DEFAULT 'NULL',
    PRIMARY KEY (`subscriber_id`),
    KEY `NEWSLETTER_SUBSCRIBER_CUSTOMER_ID` (`customer_id`),
    KEY `NEWSLETTER_SUBSCRIBER_STORE_ID` (`store_id`),
    KEY `NEWSLETTER_SUBSCRIBER_SUBSCRIBER_EMAIL` (`subscriber_email`),
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE SET NULL
) ENGINE=InnoDB;

CREATE TABLE `{prefix}report_event` (
    `event_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `logged_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `event_type_id` smallint unsigned NOT NULL DEFAULT 0,
    `object_id` int unsigned NOT NULL DEFAULT 0,
    `subject_id` int unsigned NOT NULL DEFAULT 0,
    `subtype` smallint unsigned NOT NULL DEFAULT 0,
    `store_id` smallint unsigned NOT NULL,
    PRIMARY KEY (`event_id`),
    KEY `REPORT_EVENT_EVENT_TYPE_ID` (`event_type_id`),
    KEY `REPORT_EVENT_SUBJECT_ID` (`subject_id`),
    KEY `REPORT_EVENT_OBJECT_ID` (`object_id`),
    KEY `REPORT_EVENT_SUBTYPE` (`subtype`),
    KEY `REPORT_EVENT_STORE_ID` (`store_id`),
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE CASCADE,
    FOREIGN KEY (`event_type_id`) REFERENCES `{prefix}report_event_types` (`event_type_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}report_event_types` (
    `event_type_id` smallint unsigned NOT NULL AUTO_INCREMENT,
    `event_name` varchar(64) NOT NULL,
    `customer_login` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`event_type_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}import_history` (
    `history_id` int unsigned NOT NULL AUTO_INCREMENT,
    `started_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `user_id` int unsigned NOT NULL DEFAULT 0,
    `imported_file` varchar(255) NULL DEFAULT NULL,
    `execution_time` varchar(255) NULL DEFAULT NULL,
    `summary` varchar(255) NULL DEFAULT NULL,
    `error_file` varchar(255) NOT NULL,
    PRIMARY KEY (`history_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}importexport_importdata` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `entity` varchar(50) NOT NULL,
    `behavior` varchar(10) NOT NULL DEFAULT 'append',
    `data` longtext NULL,
    `is_processed` tinyint(1) NOT NULL DEFAULT 1,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}product_alert_stock` (
    `alert_stock_id` int unsigned NOT NULL AUTO_INCREMENT,
    `customer_id` int unsigned NOT NULL DEFAULT 0,
    `product_id` int unsigned NOT NULL DEFAULT 0,
    `website_id` smallint unsigned NOT NULL DEFAULT 0,
    `store_id` smallint unsigned NULL DEFAULT 0,
    `add_date` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `send_date` timestamp NULL DEFAULT NULL,
    `send_count` smallint unsigned NOT NULL DEFAULT 0,
    `status` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`alert_stock_id`),
    KEY `PRODUCT_ALERT_STOCK_CUSTOMER_ID` (`customer_id`),
    KEY `PRODUCT_ALERT_STOCK_PRODUCT_ID` (`product_id`),
    KEY `PRODUCT_ALERT_STOCK_WEBSITE_ID` (`website_id`),
    KEY `PRODUCT_ALERT_STOCK_STORE_ID` (`store_id`),
    FOREIGN KEY (`website_id`) REFERENCES `{prefix}store_website` (`website_id`) ON DELETE CASCADE,
    FOREIGN KEY (`customer_id`) REFERENCES `{prefix}customer_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`product_id`) REFERENCES `{prefix}catalog_product_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}product_alert_price` (
    `alert_price_id` int unsigned NOT NULL AUTO_INCREMENT,
    `customer_id` int unsigned NOT NULL DEFAULT 0,
    `product_id` int unsigned NOT NULL DEFAULT 0,
    `price` decimal(20,6) NOT NULL DEFAULT 0,
    `website_id` smallint unsigned NOT NULL DEFAULT 0,
    `store_id` smallint unsigned NULL DEFAULT 0,
    `add_date` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `last_send_date` timestamp NULL DEFAULT NULL,
    `send_count` smallint unsigned NOT NULL DEFAULT 0,
    `status` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`alert_price_id`),
    KEY `PRODUCT_ALERT_PRICE_CUSTOMER_ID` (`customer_id`),
    KEY `PRODUCT_ALERT_PRICE_PRODUCT_ID` (`product_id`),
    KEY `PRODUCT_ALERT_PRICE_WEBSITE_ID` (`website_id`),
    KEY `PRODUCT_ALERT_PRICE_STORE_ID` (`store_id`),
    FOREIGN KEY (`customer_id`) REFERENCES `{prefix}customer_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`product_id`) REFERENCES `{prefix}catalog_product_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`website_id`) REFERENCES `{prefix}store_website` (`website_id`) ON DELETE CASCADE,
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}cms_block` (
    `block_id` smallint NOT NULL AUTO_INCREMENT,
    `title` varchar(255) NOT NULL,
    `identifier` varchar(255) NOT NULL,
    `content` mediumtext NULL,
    `creation_time` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `update_time` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `is_active` smallint NOT NULL DEFAULT 1,
    PRIMARY KEY (`block_id`),
    KEY `CMS_BLOCK_IDENTIFIER` (`identifier`),
    FULLTEXT KEY `CMS_BLOCK_TITLE_IDENTIFIER_CONTENT` (`title`, `identifier`, `content`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}cms_page` (
    `page_id` smallint NOT NULL AUTO_INCREMENT,
    `title` varchar(255) NULL DEFAULT NULL,
    `page_layout` varchar(255) NULL DEFAULT NULL,
    `meta_keywords` text NULL,
    `meta_description` text NULL,
    `identifier` varchar(100) NULL DEFAULT NULL,
    `content_heading` varchar(255) NULL DEFAULT NULL,
    `content` mediumtext NULL,
    `creation_time` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `update_time` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `is_active` smallint NOT NULL DEFAULT 1,
    `sort_order` smallint NOT NULL DEFAULT 0,
    `layout_update_xml` text NULL,
    `custom_theme` varchar(100) NULL DEFAULT NULL,
    `custom_root_template` varchar(255) NULL DEFAULT NULL,
    `custom_layout_update_xml` text NULL,
    `layout_update_selected` varchar(128) NULL DEFAULT NULL,
    `custom_theme_from` date NULL DEFAULT NULL,
    `custom_theme_to` date NULL DEFAULT NULL,
    `meta_title` varchar(255) NULL DEFAULT NULL,
    PRIMARY KEY (`page_id`),
    KEY `CMS_PAGE_IDENTIFIER` (`identifier`),
    FULLTEXT KEY `CMS_PAGE_TITLE_META_KEYWORDS_META_DESCRIPTION_IDENTIFIER_CONTENT` (`title`, `meta_keywords`, `meta_description`, `identifier`, `content`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}layout_update` (
    `layout_update_id` int unsigned NOT NULL AUTO_INCREMENT,
    `handle` varchar(255) NULL DEFAULT NULL,
    `xml` text NULL,
    `sort_order` smallint NOT NULL DEFAULT 0,
    `updated_at` timestamp NULL DEFAULT '0000-00-00 00:00:00' ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`layout_update_id`),
    KEY `LAYOUT_UPDATE_HANDLE` (`handle`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}adminnotification_inbox` (
    `notification_id` int unsigned NOT NULL AUTO_INCREMENT,
    `severity` smallint unsigned NOT NULL DEFAULT 0,
    `date_added` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `title` varchar(255) NOT NULL,
    `description` text NULL,
    `url` varchar(255) NULL DEFAULT NULL,
    `is_read` smallint unsigned NOT NULL DEFAULT 0,
    `is_remove` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`notification_id`),
    KEY `ADMINNOTIFICATION_INBOX_SEVERITY` (`severity`),
    KEY `ADMINNOTIFICATION_INBOX_IS_READ` (`is_read`),
    KEY `ADMINNOTIFICATION_INBOX_IS_REMOVE` (`is_remove`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}admin_system_messages` (
    `identity` varchar(100) NOT NULL,
    `severity` smallint unsigned NOT NULL DEFAULT 0,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`identity`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}sitemap` (
    `sitemap_id` int unsigned NOT NULL AUTO_INCREMENT,
    `sitemap_type` varchar(32) NULL DEFAULT NULL,
    `sitemap_filename` varchar(32) NULL DEFAULT NULL,
    `sitemap_path` varchar(255) NULL DEFAULT NULL,
    `sitemap_time` timestamp NULL DEFAULT NULL,
    `store_id` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`sitemap_id`),
    KEY `SITEMAP_STORE_ID` (`store_id`),
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}reporting_system_updates` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `type` varchar(255) NULL DEFAULT NULL,
    `action` varchar(255) NULL DEFAULT NULL,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`entity_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}reporting_counts` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `type` varchar(255) NULL DEFAULT NULL,
    `count` int unsigned NULL DEFAULT NULL,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`entity_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}patch_list` (
    `patch_id` int NOT NULL AUTO_INCREMENT,
    `patch_name` varchar(1024) NOT NULL,
    PRIMARY KEY (`patch_id`)
) ENGINE=InnoDB;

-- Tables that others refer to, or that views subscribe to; the fact sheet names them without columns.
CREATE TABLE `{prefix}catalog_category_entity` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `attribute_set_id` smallint unsigned NOT NULL DEFAULT 0,
    `parent_id` int unsigned NOT NULL DEFAULT 0,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `path` varchar(255) NOT NULL,
    `position` int NOT NULL,
    `level` int NOT NULL DEFAULT 0,
    `children_count` int NOT NULL,
    PRIMARY KEY (`entity_id`),
    KEY `CATALOG_CATEGORY_ENTITY_LEVEL` (`level`),
    KEY `CATALOG_CATEGORY_ENTITY_PATH` (`path`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalog_category_product` (
    `entity_id` int NOT NULL AUTO_INCREMENT,
    `category_id` int unsigned NOT NULL DEFAULT 0,
    `product_id` int unsigned NOT NULL DEFAULT 0,
    `position` int NOT NULL DEFAULT 0,
    PRIMARY KEY (`entity_id`, `category_id`, `product_id`),
    UNIQUE KEY `CATALOG_CATEGORY_PRODUCT_CATEGORY_ID_PRODUCT_ID` (`category_id`, `product_id`),
    KEY `CATALOG_CATEGORY_PRODUCT_PRODUCT_ID` (`product_id`),
    FOREIGN KEY (`product_id`) REFERENCES `{prefix}catalog_product_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`category_id`) REFERENCES `{prefix}catalog_category_entity` (`entity_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalog_product_entity_decimal` (
    `value_id` int unsigned NOT NULL AUTO_INCREMENT,
    `attribute_id` smallint unsigned NOT NULL DEFAULT 0,
    `store_id` smallint unsigned NOT NULL DEFAULT 0,
    `entity_id` int unsigned NOT NULL DEFAULT 0,
    `value` decimal(20,6) NULL DEFAULT NULL,
    PRIMARY KEY (`value_id`),
    UNIQUE KEY `CATALOG_PRODUCT_ENTITY_DECIMAL_ENTITY_ID_ATTRIBUTE_ID_STORE_ID` (`entity_id`, `attribute_id`, `store_id`),
    KEY `CATALOG_PRODUCT_ENTITY_DECIMAL_STORE_ID` (`store_id`),
    KEY `CATALOG_PRODUCT_ENTITY_DECIMAL_ATTRIBUTE_ID` (`attribute_id`),
    FOREIGN KEY (`entity_id`) REFERENCES `{prefix}catalog_product_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalog_product_entity_int` (
    `value_id` int NOT NULL AUTO_INCREMENT,
    `attribute_id` smallint unsigned NOT NULL DEFAULT 0,
    `store_id` smallint unsigned NOT NULL DEFAULT 0,
    `entity_id` int unsigned NOT NULL DEFAULT 0,
    `value` int NULL DEFAULT NULL,
    PRIMARY KEY (`value_id`),
    UNIQUE KEY `CATALOG_PRODUCT_ENTITY_INT_ENTITY_ID_ATTRIBUTE_ID_STORE_ID` (`entity_id`, `attribute_id`, `store_id`),
    KEY `CATALOG_PRODUCT_ENTITY_INT_ATTRIBUTE_ID` (`attribute_id`),
    KEY `CATALOG_PRODUCT_ENTITY_INT_STORE_ID` (`store_id`),
    FOREIGN KEY (`entity_id`) REFERENCES `{prefix}catalog_product_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE CASCADE,
    KEY `CATALOG_PRODUCT_ENTITY_INT_ATTRIBUTE_ID_STORE_ID_VALUE` (`attribute_id`, `store_id`, `value`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}cataloginventory_stock` (
    `stock_id` smallint unsigned NOT NULL AUTO_INCREMENT,
    `website_id` smallint unsigned NOT NULL,
    `stock_name` varchar(255) NULL DEFAULT NULL,
    PRIMARY KEY (`stock_id`),
    KEY `CATALOGINVENTORY_STOCK_WEBSITE_ID` (`website_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}newsletter_template` (
    `template_id` int unsigned NOT NULL AUTO_INCREMENT,
    `template_code` varchar(150) NULL DEFAULT NULL,
    `template_text` text NULL,
    `template_styles` text NULL,
    `template_type` int unsigned NULL DEFAULT NULL,
    `template_subject` varchar(200) NULL DEFAULT NULL,
    `template_sender_name` varchar(200) NULL DEFAULT NULL,
    `template_sender_email` varchar(200) NULL DEFAULT NULL,
    `template_actual` smallint unsigned NULL DEFAULT 1,
    `added_at` timestamp NULL DEFAULT NULL,
    `modified_at` timestamp NULL DEFAULT NULL,
    `is_legacy` tinyint(1) NOT NULL DEFAULT 0,
    PRIMARY KEY (`template_id`),
    KEY `NEWSLETTER_TEMPLATE_TEMPLATE_ACTUAL` (`template_actual`),
    KEY `NEWSLETTER_TEMPLATE_ADDED_AT` (`added_at`),
    KEY `NEWSLETTER_TEMPLATE_MODIFIED_AT` (`modified_at`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}catalogrule_product_replica` LIKE `{prefix}catalogrule_product`;

CREATE TABLE `{prefix}catalogrule_product_price_replica` LIKE `{prefix}catalogrule_product_price`;

CREATE TABLE `{prefix}catalogrule_group_website_replica` LIKE `{prefix}catalogrule_group_website`;
