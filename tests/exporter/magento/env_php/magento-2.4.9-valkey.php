<?php
// setup:config:set --cache-backend=valkey --page-cache=valkey of 2.4.9.
return [
    'cache' => ['frontend' => [
        'default' => ['id_prefix' => '5c1_', 'backend' => 'valkey', 'backend_options' => [
            'server' => 'vk-cache', 'database' => '0', 'port' => '6379', 'password' => 'planted',
            'compress_data' => '1', 'compression_lib' => '', 'serializer' => 'igbinary',
            'use_lua' => '0', 'use_lua_on_gc' => '1']],
        'page_cache' => ['id_prefix' => '5c1_', 'backend' => 'Valkey', 'backend_options' => [
            'server' => 'vk-cache', 'database' => '1', 'port' => '6379', 'password' => '',
            'compress_data' => '0', 'serializer' => 'igbinary']],
    ], 'allow_parallel_generation' => false],
];
