-- Cron, indexers and views (connection default) of 2.4.9.

CREATE TABLE `{prefix}cron_schedule` (
    `schedule_id` int unsigned NOT NULL AUTO_INCREMENT,
    `job_code` varchar(255) NOT NULL DEFAULT '0',
    `status` varchar(7) NOT NULL DEFAULT 'pending',
    `messages` text NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `scheduled_at` timestamp NULL DEFAULT NULL,
    `executed_at` timestamp NULL DEFAULT NULL,
    `finished_at` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`schedule_id`),
    KEY `CRON_SCHEDULE_JOB_CODE_STATUS_SCHEDULED_AT` (`job_code`, `status`, `scheduled_at`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}indexer_state` (
    `state_id` int unsigned NOT NULL AUTO_INCREMENT,
    `indexer_id` varchar(255) NULL DEFAULT NULL,
    `status` varchar(16) NULL DEFAULT 'invalid',
    `updated` datetime NULL DEFAULT NULL,
    `hash_config` varchar(32) NOT NULL,
    PRIMARY KEY (`state_id`),
    KEY `INDEXER_STATE_INDEXER_ID` (`indexer_id`)
) ENGINE=InnoDB;

CREATE TABLE `{prefix}mview_state` (
    `state_id` int unsigned NOT NULL AUTO_INCREMENT,
    `view_id` varchar(255) NULL DEFAULT NULL,
    `mode` varchar(16) NULL DEFAULT 'disabled',
    `status` varchar(16) NULL DEFAULT 'idle',
    `updated` datetime NULL DEFAULT NULL,
    `version_id` bigint unsigned NULL DEFAULT NULL,
    PRIMARY KEY (`state_id`),
    KEY `MVIEW_STATE_VIEW_ID` (`view_id`),
    KEY `MVIEW_STATE_MODE` (`mode`)
) ENGINE=InnoDB;
