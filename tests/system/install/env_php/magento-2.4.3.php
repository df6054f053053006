<?php
return [
    'backend' => [
        'frontName' => 'admin'
    ],
    'queue' => [
        'amqp' => [
            'host' => '127.0.0.1',
            'port' => '@AMQP_PORT@',
            'user' => 'shop',
            'password' => '@SECRET@',
            'virtualhost' => '/'
        ],
        'consumers_wait_for_messages' => 1
    ],
    'db' => [
        'connection' => [
            'indexer' => [
                'host' => '127.0.0.1:@DB_PORT@',
                'dbname' => '@DB_NAME@',
                'username' => '@DB_USER@',
                'password' => '@SECRET@',
                'model' => 'mysql4',
                'engine' => 'innodb',
                'initStatements' => 'SET NAMES utf8;',
                'active' => '1',
                'persistent' => NULL
            ],
            'default' => [
                'host' => '127.0.0.1:@DB_PORT@',
                'dbname' => '@DB_NAME@',
                'username' => '@DB_USER@',
                'password' => '@SECRET@',
                'model' => 'mysql4',
                'engine' => 'innodb',
                'initStatements' => 'SET NAMES utf8;',
                'active' => '1',
                'driver_options' => [
                    1014 => false
                ]
            ]
        ],
        'table_prefix' => 'm2_'
    ],
    'crypt' => [
        'key' => '@SECRET@
@SECRET@'
    ],
    'resource' => [
        'default_setup' => [
            'connection' => 'default'
        ]
    ],
    'x-frame-options' => 'SAMEORIGIN',
    'MAGE_MODE' => 'production',
    'session' => [
        'save' => 'redis',
        'redis' => [
            'host' => '127.0.0.1',
            'port' => '@REDIS_PORT@',
            'database' => '2',
            'break_after_frontend' => '5',
            'sentinel_master' => '',
            'sentinel_servers' => ''
        ]
    ],
    'cache' => [
        'frontend' => [
            'default' => [
                'id_prefix' => '69d_',
                'backend' => 'Magento\\Framework\\Cache\\Backend\\Redis',
                'backend_options' => [
                    'server' => '127.0.0.1',
                    'database' => '0',
                    'port' => '@REDIS_PORT@',
                    'password' => '',
                    'compress_data' => '1',
                    'compression_lib' => ''
                ]
            ],
            'page_cache' => [
                'id_prefix' => '69d_',
                'backend' => 'Magento\\Framework\\Cache\\Backend\\Redis',
                'backend_options' => [
                    'server' => '127.0.0.1',
                    'database' => '1',
                    'port' => '@REDIS_PORT@',
                    'compress_data' => '0'
                ]
            ]
        ],
        'allow_parallel_generation' => false
    ],
    'lock' => [
        'provider' => 'db',
        'config' => [
            'prefix' => ''
        ]
    ],
    'directories' => [
        'document_root_is_pub' => true
    ],
    'cache_types' => [
        'config' => 1,
        'compiled_config' => 1
    ],
    'downloadable_domains' => [
        'shop.example'
    ],
    'install' => [
        'date' => 'Thu, 12 Aug 2021 09:12:13 +0000'
    ]
];
