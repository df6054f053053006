<?php
return [
    'backend' => [
        'frontName' => 'admin_1a2b3c'
    ],
    'crypt' => [
        'key' => '@SECRET@'
    ],
    'db' => [
        'table_prefix' => 'm2_',
        'connection' => [
            'default' => [
                'host' => '127.0.0.1:@DB_PORT@',
                'dbname' => '@DB_NAME@',
                'username' => '@DB_USER@',
                'password' => '@SECRET@',
                'active' => '1'
            ]
        ]
    ],
    'resource' => [
        'default_setup' => [
            'connection' => 'default'
        ]
    ],
    'x-frame-options' => 'SAMEORIGIN',
    'MAGE_MODE' => 'default',
    'session' => [
        'save' => 'redis',
        'redis' => [
            'host' => '127.0.0.1',
            'port' => '@REDIS_PORT@',
            'password' => '',
            'timeout' => '2.5',
            'persistent_identifier' => '',
            'database' => '2',
            'max_concurrency' => '6',
            'disable_locking' => '0'
        ]
    ],
    'cache' => [
        'frontend' => [
            'default' => [
                'backend' => 'Cm_Cache_Backend_Redis',
                'backend_options' => [
                    'server' => '127.0.0.1',
                    'database' => '0',
                    'port' => '@REDIS_PORT@'
                ]
            ],
            'page_cache' => [
                'backend' => 'Cm_Cache_Backend_Redis',
                'backend_options' => [
                    'server' => '127.0.0.1',
                    'port' => '@REDIS_PORT@',
                    'database' => '1',
                    'compress_data' => '0'
                ]
            ]
        ]
    ],
    'queue' => [
        'amqp' => [
            'host' => '127.0.0.1',
            'port' => '@AMQP_PORT@',
            'user' => 'shop',
            'password' => '@SECRET@',
            'virtualhost' => '/'
        ]
    ],
    'cache_types' => [
        'config' => 1,
        'full_page' => 1
    ],
    'install' => [
        'date' => 'Mon, 02 Nov 2020 10:00:00 +0000'
    ]
];
