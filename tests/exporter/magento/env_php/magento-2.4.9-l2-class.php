<?php
// The class is an alias of symfony_l2, but not with a backslash before it.
return [
    'cache' => ['frontend' => [
        'default' => ['backend' => 'Magento\\Framework\\Cache\\Backend\\SymfonyL2Cache', 'backend_options' => [
            'remote_backend_options' => ['server' => 'vk-cache']]],
        'page_cache' => ['backend' => '\\Magento\\Framework\\Cache\\Backend\\SymfonyL2Cache', 'backend_options' => [
            'remote_backend' => 'valkey', 'remote_backend_options' => ['server' => 'vk-cache', 'database' => 1]]]]],
];
