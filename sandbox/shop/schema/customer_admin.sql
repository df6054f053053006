-- Customers, administrators, integrations (connection default) of 2.4.9.

CREATE TABLE `{prefix}customer_entity` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `website_id` smallint unsigned NULL DEFAULT NULL,
    `email` varchar(255) NULL DEFAULT NULL,
    `group_id` smallint unsigned NOT NULL DEFAULT 0,
    `store_id` smallint unsigned NULL DEFAULT 0,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `is_active` smallint unsigned NOT NULL DEFAULT 1,
    `created_in` varchar(255) NULL DEFAULT NULL,
    `rp_token_created_at` datetime NULL DEFAULT NULL,
    `confirmation` varchar(64) NULL DEFAULT NULL,
    `failures_num` smallint NULL DEFAULT 0,
    `first_failure` timestamp NULL DEFAULT NULL,
    `lock_expires` timestamp NULL DEFAULT NULL,
    `session_cutoff` timestamp NULL DEFAULT NULL,
    `increment_id` varchar(50) DEFAULT NULL,
    `disable_auto_group_change` smallint unsigned NOT NULL DEFAULT 0,
    `prefix` varchar(40) DEFAULT NULL,
    `firstname` varchar(255) DEFAULT NULL,
    `middlename` varchar(255) DEFAULT NULL,
    `lastname` varchar(255) DEFAULT NULL,
    `suffix` varchar(40) DEFAULT NULL,
    `dob` date DEFAULT NULL,
    `password_hash` varchar(128) DEFAULT NULL,
    `rp_token` varchar(128) DEFAULT NULL,
    `default_billing` int unsigned DEFAULT NULL,
    `default_shipping` int unsigned DEFAULT NULL,
    `taxvat` varchar(50) DEFAULT NULL,
    `gender` smallint unsigned DEFAULT NULL,
    PRIMARY KEY (`entity_id`),
    UNIQUE KEY `CUSTOMER_ENTITY_EMAIL_WEBSITE_ID` (`email`, `website_id`),
    KEY `CUSTOMER_ENTITY_STORE_ID` (`store_id`),
    KEY `CUSTOMER_ENTITY_WEBSITE_ID` (`website_id`),
    KEY `CUSTOMER_ENTITY_FIRSTNAME` (`firstname`),
    KEY `CUSTOMER_ENTITY_LASTNAME` (`lastname`),
    FOREIGN KEY (`store_id`) REFERENCES `{prefix}store` (`store_id`) ON DELETE SET NULL,
    FOREIGN KEY (`website_id`) REFERENCES `{prefix}store_website` (`website_id`) ON DELETE SET NULL
) ENGINE=InnoDB;

CREATE TABLE `{prefix}customer_log` (
    `log_id` int NOT NULL AUTO_INCREMENT,
    `customer_id` int NOT NULL,
    `last_login_at` timestamp NULL DEFAULT NULL,
    `last_logout_at` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`log_id`),
    UNIQUE KEY `CUSTOMER_LOG_CUSTOMER_ID` (`customer_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}customer_visitor` (
    `visitor_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `customer_id` int NULL DEFAULT NULL,
    `session_id` varchar(1) NULL DEFAULT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `last_visit_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`visitor_id`),
    KEY `CUSTOMER_VISITOR_CUSTOMER_ID` (`customer_id`),
    KEY `CUSTOMER_VISITOR_LAST_VISIT_AT` (`last_visit_at`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}admin_user` (
    `user_id` int unsigned NOT NULL AUTO_INCREMENT,
    `firstname` varchar(32) NULL DEFAULT NULL,
    `lastname` varchar(32) NULL DEFAULT NULL,
    `email` varchar(128) NULL DEFAULT NULL,
    `username` varchar(40) NULL DEFAULT NULL,
    `password` varchar(255) NOT NULL,
    `created` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `modified` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `logdate` timestamp NULL DEFAULT NULL,
    `lognum` smallint unsigned NOT NULL DEFAULT 0,
    `reload_acl_flag` smallint NOT NULL DEFAULT 0,
    `is_active` smallint NOT NULL DEFAULT 1,
    `extra` text NULL,
    `rp_token` text NULL,
    `rp_token_created_at` timestamp NULL DEFAULT NULL,
    `interface_locale` varchar(16) NOT NULL DEFAULT 'en_US',
    `failures_num` smallint NULL DEFAULT 0,
    `first_failure` timestamp NULL DEFAULT NULL,
    `lock_expires` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`user_id`),
    UNIQUE KEY `ADMIN_USER_USERNAME` (`username`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}admin_user_session` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `session_id` varchar(1) NULL DEFAULT NULL,
    `user_id` int unsigned NULL DEFAULT NULL,
    `status` smallint unsigned NOT NULL DEFAULT 1,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `ip` varchar(45) NOT NULL,
    PRIMARY KEY (`id`),
    KEY `ADMIN_USER_SESSION_SESSION_ID` (`session_id`),
    KEY `ADMIN_USER_SESSION_USER_ID` (`user_id`),
    FOREIGN KEY (`user_id`) REFERENCES `{prefix}admin_user` (`user_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}admin_passwords` (
    `password_id` int unsigned NOT NULL AUTO_INCREMENT,
    `user_id` int unsigned NOT NULL DEFAULT 0,
    `password_hash` varchar(255) NULL DEFAULT NULL,
    `expires` int unsigned NOT NULL DEFAULT 0,
    `last_updated` int unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`password_id`),
    KEY `ADMIN_PASSWORDS_USER_ID` (`user_id`),
    FOREIGN KEY (`user_id`) REFERENCES `{prefix}admin_user` (`user_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}admin_user_expiration` (
    `user_id` int unsigned NOT NULL,
    `expires_at` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
    PRIMARY KEY (`user_id`),
    FOREIGN KEY (`user_id`) REFERENCES `{prefix}admin_user` (`user_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}tfa_user_config` (
    `config_id` int unsigned NOT NULL AUTO_INCREMENT,
    `user_id` int unsigned NOT NULL,
    `encoded_providers` text NULL,
    `encoded_config` text NULL,
    `default_provider` varchar(255) NULL DEFAULT NULL,
    PRIMARY KEY (`config_id`),
    FOREIGN KEY (`user_id`) REFERENCES `{prefix}admin_user` (`user_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}authorization_role` (
    `role_id` int unsigned NOT NULL AUTO_INCREMENT,
    `parent_id` int unsigned NOT NULL DEFAULT 0,
    `tree_level` smallint unsigned NOT NULL DEFAULT 0,
    `sort_order` smallint unsigned NOT NULL DEFAULT 0,
    `role_type` varchar(1) NOT NULL DEFAULT '0',
    `user_id` int unsigned NOT NULL DEFAULT 0,
    `user_type` varchar(16) NULL DEFAULT NULL,
    `role_name` varchar(50) NULL DEFAULT NULL,
    PRIMARY KEY (`role_id`),
    KEY `AUTHORIZATION_ROLE_PARENT_ID_SORT_ORDER` (`parent_id`, `sort_order`),
    KEY `AUTHORIZATION_ROLE_TREE_LEVEL` (`tree_level`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}password_reset_request_event` (
    `id` int unsigned NOT NULL AUTO_INCREMENT,
    `request_type` smallint unsigned NOT NULL,
    `account_reference` varchar(255) NULL DEFAULT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `ip` varchar(45) NOT NULL,
    PRIMARY KEY (`id`),
    KEY `PASSWORD_RESET_REQUEST_EVENT_ACCOUNT_REFERENCE` (`account_reference`),
    KEY `PASSWORD_RESET_REQUEST_EVENT_CREATED_AT` (`created_at`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}captcha_log` (
    `type` varchar(32) NOT NULL,
    `value` varchar(255) NOT NULL,
    `count` int unsigned NOT NULL DEFAULT 0,
    `updated_at` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`type`, `value`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}oauth_token` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `consumer_id` int unsigned NULL DEFAULT NULL,
    `admin_id` int unsigned NULL DEFAULT NULL,
    `customer_id` int unsigned NULL DEFAULT NULL,
    `type` varchar(16) NOT NULL,
    `token` varchar(32) NOT NULL,
    `secret` varchar(128) NOT NULL,
    `verifier` varchar(32) NULL DEFAULT NULL,
    `callback_url` text NOT NULL,
    `revoked` smallint unsigned NOT NULL DEFAULT 0,
    `authorized` smallint unsigned NOT NULL DEFAULT 0,
    `user_type` int NULL DEFAULT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`entity_id`),
    UNIQUE KEY `OAUTH_TOKEN_TOKEN` (`token`),
    KEY `OAUTH_TOKEN_CONSUMER_ID` (`consumer_id`),
    KEY `OAUTH_TOKEN_CREATED_AT` (`created_at`),
    FOREIGN KEY (`admin_id`) REFERENCES `{prefix}admin_user` (`user_id`) ON DELETE CASCADE,
    FOREIGN KEY (`consumer_id`) REFERENCES `{prefix}oauth_consumer` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`customer_id`) REFERENCES `{prefix}customer_entity` (`entity_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}oauth_token_request_log` (
    `log_id` int unsigned NOT NULL AUTO_INCREMENT,
    `user_name` varchar(255) NOT NULL,
    `user_type` smallint unsigned NOT NULL,
    `failures_count` smallint unsigned NULL DEFAULT 0,
    `lock_expires_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`log_id`),
    UNIQUE KEY `OAUTH_TOKEN_REQUEST_LOG_USER_NAME_USER_TYPE` (`user_name`, `user_type`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}oauth_consumer` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` timestamp NULL DEFAULT '0000-00-00 00:00:00' ON UPDATE CURRENT_TIMESTAMP,
    `name` varchar(255) NOT NULL,
    `key` varchar(32) NOT NULL,
    `secret` varchar(128) NOT NULL,
    `callback_url` text NULL,
    `rejected_callback_url` text NOT NULL,
    PRIMARY KEY (`entity_id`),
    UNIQUE KEY `OAUTH_CONSUMER_KEY` (`key`),
    UNIQUE KEY `OAUTH_CONSUMER_SECRET` (`secret`),
    KEY `OAUTH_CONSUMER_CREATED_AT` (`created_at`),
    KEY `OAUTH_CONSUMER_UPDATED_AT` (`updated_at`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}oauth_nonce` (
    `nonce` varchar(32) NOT NULL,
    `timestamp` int unsigned NOT NULL,
    `consumer_id` int unsigned NOT NULL,
    PRIMARY KEY (`nonce`, `consumer_id`),
    KEY `OAUTH_NONCE_TIMESTAMP` (`timestamp`),
    FOREIGN KEY (`consumer_id`) REFERENCES `{prefix}oauth_consumer` (`entity_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}integration` (
    `integration_id` int unsigned NOT NULL AUTO_INCREMENT,
    `name` varchar(255) NOT NULL,
    `email` varchar(255) NOT NULL,
    `endpoint` varchar(255) NULL DEFAULT NULL,
    `status` smallint unsigned NOT NULL,
    `consumer_id` int unsigned NULL DEFAULT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    `setup_type` smallint unsigned NOT NULL DEFAULT 0,
    `identity_link_url` varchar(255) NULL DEFAULT NULL,
    PRIMARY KEY (`integration_id`),
    UNIQUE KEY `INTEGRATION_NAME` (`name`),
    UNIQUE KEY `INTEGRATION_CONSUMER_ID` (`consumer_id`),
    FOREIGN KEY (`consumer_id`) REFERENCES `{prefix}oauth_consumer` (`entity_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}jwt_auth_revoked` (
    `user_type_id` int unsigned NOT NULL,
    `user_id` int unsigned NOT NULL,
    `revoke_before` bigint unsigned NOT NULL,
    PRIMARY KEY (`user_type_id`, `user_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}persistent_session` (
    `persistent_id` int unsigned NOT NULL AUTO_INCREMENT,
    `key` varchar(50) NOT NULL,
    `customer_id` int unsigned NULL DEFAULT NULL,
    `website_id` smallint unsigned NOT NULL DEFAULT 0,
    `info` text NULL,
    `updated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`persistent_id`),
    UNIQUE KEY `PERSISTENT_SESSION_KEY` (`key`),
    UNIQUE KEY `PERSISTENT_SESSION_CUSTOMER_ID` (`customer_id`),
    KEY `PERSISTENT_SESSION_UPDATED_AT` (`updated_at`),
    FOREIGN KEY (`customer_id`) REFERENCES `{prefix}customer_entity` (`entity_id`) ON DELETE CASCADE,
    FOREIGN KEY (`website_id`) REFERENCES `{prefix}store_website` (`website_id`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `{prefix}magento_login_as_customer_log` (
    `log_id` int NOT NULL AUTO_INCREMENT,
    `time` timestamp NULL DEFAULT NULL,
    `user_id` int unsigned NULL DEFAULT NULL,
    `user_name` varchar(40) NULL DEFAULT NULL,
    `customer_id` int unsigned NULL DEFAULT NULL,
    `customer_email` varchar(40) NULL DEFAULT NULL,
    PRIMARY KEY (`log_id`),
    KEY `MAGENTO_LOGIN_AS_CUSTOMER_LOG_USER_ID` (`user_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}vault_payment_token` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `customer_id` int unsigned NULL DEFAULT NULL,
    `website_id` int unsigned NULL DEFAULT NULL,
    `public_hash` varchar(128) NOT NULL,
    `payment_method_code` varchar(128) NOT NULL,
    `type` varchar(128) NOT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `expires_at` timestamp NULL DEFAULT NULL,
    `gateway_token` varchar(255) NOT NULL,
    `details` text NULL,
    `is_active` tinyint(1) NOT NULL DEFAULT 1,
    `is_visible` tinyint(1) NOT NULL DEFAULT 1,
    PRIMARY KEY (`entity_id`),
    UNIQUE KEY `VAULT_PAYMENT_TOKEN_PAYMENT_METHOD_CODE_CSTR_ID_GATEWAY_TOKEN` (`payment_method_code`, `customer_id`, `gateway_token`),
    UNIQUE KEY `VAULT_PAYMENT_TOKEN_PUBLIC_HASH` (`public_hash`),
    FOREIGN KEY (`customer_id`) REFERENCES `{prefix}customer_entity` (`entity_id`) ON DELETE CASCADE
) ENGINE=InnoDB;
