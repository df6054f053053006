<?php

declare(strict_types=1);

/**
 * Edited by hand: comments of every kind, trailing commas, 'quotes' and [brackets] in comments.
 */
return [
    'remote_storage' => ['driver' => 'file',],
    'backend' => ['frontName' => "admin",], # the admin's address
    'cache' => [
        'graphql' => ['id_salt' => '@SECRET@'],
        'frontend' => [
            'default' => [
                'id_prefix' => 'bda_',
                // L2 cache: 'backend' => 'Cm_Cache_Backend_Redis',
                'backend' => '\\Magento\\Framework\\Cache\\Backend\\RemoteSynchronizedCache',
                'backend_options' => [
                    'remote_backend' => '\\Magento\\Framework\\Cache\\Backend\\Redis',
                    'remote_backend_options' => [
                        'persistent' => 0,
                        'server' => 'tcp://127.0.0.1',
                        'database' => '0',
                        'port' => @REDIS_PORT@,
                        'compress_data' => '1',
                    ],
                    'local_backend' => 'Cm_Cache_Backend_File',
                    'local_backend_options' => ['cache_dir' => '/dev/shm/'],
                    'use_stale_cache' => true,
                ],
                'frontend_options' => ['write_control' => false,],
            ],
            'page_cache' => [
                'backend' => 'redis',
                'backend_options' => ['server' => '127.0.0.1', 'port' => '@REDIS_PORT@', 'database' => '1',],
            ],
        ],
        'type' => ['default' => ['frontend' => 'default'],],
    ],
    'db' => [
        'table_prefix' => 'm2_',
        'connection' => [
            'default' => [
                'host' => '#env(DB_HOST, "127.0.0.1:@DB_PORT@")',
                'dbname' => '@DB_NAME@',
                'username' => '@DB_USER@',
                'password' => /* rotated on Tuesday */ '@SECRET@',
                'active' => '1',
                'driver_options' => [
                    PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false,
                ],
            ],
        ],
    ],
    'session' => [
        'save' => 'valkey',
        'valkey' => ['host' => '127.0.0.1', 'port' => '@REDIS_PORT@', 'database' => '2',],
    ],
    'queue' => [
        'consumers_wait_for_messages' => 0,
        'amqp' => [
            'host' => '127.0.0.1', 'port' => '@AMQP_PORT@', 'user' => 'shop', 'password' => '@SECRET@',
            'virtualhost' => '/', 'ssl' => '', 'ssl_options' => [],
        ],
    ],
    'crypt' => ['key' => '@SECRET@'],
    'install' => ['date' => 'Tue, 08 Apr 2025 08:00:00 +0000',],
];
