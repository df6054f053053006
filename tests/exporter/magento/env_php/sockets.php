<?php
return [
    'db' => ['connection' => ['default' => ['host' => '/var/run/mysqld/mysqld.sock', 'dbname' => 'm', 'username' => 'm']]],
    'cache' => ['frontend' => [
        'default' => ['backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => ['server' => 'unix:///run/redis/cache.sock', 'port' => '6379']],
        'page_cache' => ['backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => ['server' => '/run/redis/page.sock', 'database' => '1']]]],
    'session' => ['save' => 'redis', 'redis' => ['host' => '/run/redis/session.sock', 'port' => '0']],
];
