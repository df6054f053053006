<?php
return [
    'cache' => ['frontend' => [
        'default' => ['backend' => 'symfony_l2', 'backend_options' => [
            'remote_backend_options' => ['server' => 'vk-cache', 'port' => 6379, 'database' => 0],
            'local_backend' => 'file', 'local_backend_options' => ['cache_dir' => '/dev/shm/m2']]],
        'page_cache' => ['id_prefix' => '5c1_', 'backend' => 'valkey', 'backend_options' => [
            'server' => 'vk-cache', 'database' => '1', 'password' => '', 'serializer' => 'igbinary']]]],
    'session' => ['save' => 'valkey', 'valkey' => ['host' => 'vk-session', 'database' => '']],
    'queue' => ['stomp' => ['host' => 'artemis', 'port' => 61613]],
];
