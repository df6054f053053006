<?php
return [
    'queue' => ['default_connection' => 'stock',
        'connections' => ['stock' => ['host' => 'artemis2', 'port' => 61613, 'user' => 'u', 'password' => 'planted']]],
];
