<?php

use Magento\Framework\Cache\Backend\Redis;
use Some\Other\Store as Sessions;

// Docker compose: the same file everywhere, the differences in the environment.
return [
    'backend' => ['frontName' => getenv('ADMIN_PATH') ?: 'admin'],
    'db' => ['table_prefix' => '', 'connection' => ['default' => [
        'host' => getenv('DB_HOST') ?: 'mysql', 'dbname' => $_ENV['MYSQL_DATABASE'] ?? 'magento',
        'username' => getenv('DB_USER') ?: 'magento', 'password' => getenv("DB_PASSWORD")]]],
    'cache' => ['frontend' => ['default' => ['backend' => Redis::class, 'backend_options' => [
        'server' => $_SERVER['REDIS_HOST'] ?? 'redis', 'port' => (int) (getenv('REDIS_PORT') ?: 6379),
        'database' => (string) 2]]]],
    'session' => ['save' => (getenv('SESSION_SAVE') ?: 'redis'), 'redis' => ['host' => 'redis', 'database' => 1]],
    'cron' => ['enabled' => (bool) (getenv('CRON') ?: 1)],
];
