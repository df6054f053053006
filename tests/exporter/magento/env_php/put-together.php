<?php
// A base for all stages, and what differs on this one.
require_once __DIR__ . '/stage.php';
$config = [
    'db' => [
        'table_prefix' => 'm2_',
        'connection' => ['default' => ['dbname' => 'shop', 'username' => 'magento', 'password' => 'planted']],
    ],
    'session' => ['save' => 'redis'],
];
$config['db']['connection']['default']['host'] = getenv('DB_HOST') ?: 'localhost';
$config['session']['redis']['host'] = 'sessions';
$config['session']['redis']['database'] = '2';
if (PHP_SAPI === 'cli') {
    $config['queue']['amqp']['host'] = 'rabbitmq';
}
return $config;
