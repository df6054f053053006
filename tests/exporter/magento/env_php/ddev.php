<?php
return [
    'backend' => ['frontName' => 'admin_ddev'],
    'db' => ['table_prefix' => '', 'connection' => ['default' => [
        'host' => 'db', 'dbname' => 'db', 'username' => 'db', 'password' => 'db', 'model' => 'mysql4',
        'engine' => 'innodb', 'initStatements' => 'SET NAMES utf8;', 'active' => '1',
        'driver_options' => [1014 => false]]]],
    'session' => ['save' => 'files'],
    'cache' => ['frontend' => ['default' => ['id_prefix' => 'ddev_', 'backend' => 'Magento\\Framework\\Cache\\Backend\\Redis',
        'backend_options' => ['server' => 'redis', 'port' => 6379, 'database' => 0]]]],
];
