<?php
// Only what names amqp itself goes to RabbitMQ; empty sections count as absent.
return [
    'queue' => ['default_connection' => 'db', 'stomp' => [],
        'amqp' => ['host' => 'mq', 'user' => 'shop', 'password' => 'planted']],
];
