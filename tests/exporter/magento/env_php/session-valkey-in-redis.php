<?php
// As documentation and ece-tools write it: the options stay under redis, and each may be overridden.
return [
    'session' => ['save' => 'valkey', 'valkey' => ['database' => '5'],
        'redis' => ['host' => 'vk-sess', 'port' => '6380', 'database' => '2', 'password' => 'planted']],
];
