<?php
return [
    'queue' => ['default_connection' => 'amqp',
        'amqp' => ['host' => 'mq', 'port' => '5672', 'user' => 'shop', 'password' => 'planted', 'virtualhost' => 'm2'],
        'stomp' => ['host' => 'artemis', 'port' => 61613, 'user' => 'shop', 'password' => 'planted']],
];
