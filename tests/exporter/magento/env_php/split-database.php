<?php
return ['db' => ['table_prefix' => 'm2_', 'connection' => [
    'default' => ['host' => '[2001:db8::1]:3307', 'dbname' => 'main', 'username' => 'm', 'password' => 'x'],
    'quote' => ['host' => 'LOCALHOST', 'dbname' => 'quote', 'username' => 'm', 'password' => 'x'],
    'sales' => ['host' => getenv('DB_HOST'), 'dbname' => 'sales', 'username' => 'm', 'password' => 'x']]],
    'resource' => ['checkout' => ['connection' => 'quote'], 'sales_setup' => ['connection' => 'sales'],
        'checkout_setup' => ['connection' => 'quote']]];
