<?php
// Two levels, and pages served stale by a frontend of their own.
return [
    'cache' => [
        'frontend' => [
            'default' => ['backend' => 'symfony_l2', 'backend_options' => [
                'remote_backend' => 'valkey',
                'remote_backend_options' => ['server' => 'vk-cache', 'port' => 6379, 'database' => 0,
                    'persistent' => '1', 'persistent_id' => 'l2', 'timeout' => '2.5', 'read_timeout' => '2.0',
                    'load_from_slave' => ['server' => 'vk-ro', 'port' => '6379']],
                'local_backend' => 'file', 'local_backend_options' => ['cache_dir' => '/dev/shm/m2'],
                'cleanup_percentage' => 90]],
            'stale_cache_enabled' => ['backend' => 'l2_symfony', 'backend_options' => [
                'remote_backend' => 'valkey', 'remote_backend_options' => ['server' => 'vk-pages', 'database' => '3'],
                'local_backend' => 'apcu', 'use_stale_cache' => true]]],
        'type' => ['default' => ['frontend' => 'default'], 'full_page' => ['frontend' => 'stale_cache_enabled'],
            'layout' => ['frontend' => 'stale_cache_enabled']]],
];
