-- Of the sales module, yet on connection default; new in 2.4.8.

CREATE TABLE `{prefix}sales_order_status_change_history` (
    `entity_id` int unsigned NOT NULL AUTO_INCREMENT,
    `order_id` int unsigned NOT NULL,
    `status` varchar(32) NOT NULL,
    `created_at` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`entity_id`),
    FOREIGN KEY (`order_id`) REFERENCES `{prefix}sales_order` (`entity_id`) ON DELETE CASCADE
) ENGINE=InnoDB;
