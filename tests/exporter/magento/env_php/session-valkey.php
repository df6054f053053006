<?php
// setup:config:set --session-save=valkey of 2.4.9.
return [
    'session' => ['save' => 'valkey', 'valkey' => ['host' => 'vk-sess', 'port' => '6379', 'database' => '2',
        'password' => 'planted', 'timeout' => '2.5', 'max_concurrency' => '6']],
];
