<?php
declare(strict_types=1);

function secret(string $name): string
{
    return trim(file_get_contents("/run/secrets/$name"));
}

return [
    'db' => ['connection' => ['default' => [
        'host' => 'mysql.shop.svc', 'dbname' => 'shop', 'username' => 'magento', 'password' => secret('db')]]],
    'queue' => ['amqp' => ['host' => 'rabbitmq.shop.svc', 'port' => 5672, 'user' => 'shop',
        'password' => secret('amqp'), 'virtualhost' => '/']],
    'http_cache_hosts' => [['host' => getenv('VARNISH_HOST') . '.svc', 'port' => '6081'], ['host' => '127.0.0.1']],
];
