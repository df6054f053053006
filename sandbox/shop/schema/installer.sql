-- Tables that Magento's installer creates itself, outside the declarative schema.

CREATE TABLE `{prefix}setup_module` (
    `module` varchar(50) NOT NULL,
    `schema_version` varchar(50) NULL DEFAULT NULL,
    `data_version` varchar(50) NULL DEFAULT NULL,
    PRIMARY KEY (`module`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}session` (
    `session_id` varchar(255) NOT NULL,
    `session_expires` int unsigned NOT NULL DEFAULT 0,
    `session_data` mediumblob NOT NULL,
    PRIMARY KEY (`session_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}cache` (
    `id` varchar(200) NOT NULL,
    `data` mediumblob NULL,
    `create_time` int NULL DEFAULT NULL,
    `update_time` int NULL DEFAULT NULL,
    `expire_time` int NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    KEY `CACHE_EXPIRE_TIME` (`expire_time`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}cache_tag` (
    `tag` varchar(100) NOT NULL,
    `cache_id` varchar(200) NOT NULL,
    PRIMARY KEY (`tag`, `cache_id`),
    KEY `CACHE_TAG_CACHE_ID` (`cache_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}flag` (
    `flag_id` int unsigned NOT NULL AUTO_INCREMENT,
    `flag_code` varchar(255) NOT NULL,
    `state` smallint unsigned NOT NULL DEFAULT 0,
    `flag_data` mediumtext NULL,
    `last_update` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`flag_id`),
    KEY `FLAG_LAST_UPDATE` (`last_update`)
) ENGINE=InnoDB;
