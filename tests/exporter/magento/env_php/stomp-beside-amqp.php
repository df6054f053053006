<?php
// Both, and no default: everything moves to Artemis, and RabbitMQ keeps what was in it.
return [
    'queue' => [
        'amqp' => ['host' => 'mq', 'port' => '5672', 'user' => 'shop', 'password' => 'planted', 'virtualhost' => '/'],
        'stomp' => ['host' => 'artemis', 'port' => 61613, 'user' => 'shop', 'password' => 'planted']],
];
