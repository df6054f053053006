<?php
return array(
    'db' => array('connection' => array('default' => array(
        'host' => 'db', 'dbname' => 'magento', 'username' => 'magento', 'password' => 'magento'))),
    'session' => array('save' => 'redis', 'redis' => array('host' => 'redis', 'port' => '6379', 'database' => '2', 'max_concurrency' => '20')),
    'cache' => array('frontend' => array(
        'default' => array('backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => array('server' => 'redis', 'database' => '0', 'port' => '6379')),
        'page_cache' => array('backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => array('server' => 'redis', 'database' => '1', 'port' => '6379')))),
    'http_cache_hosts' => array(array('host' => 'varnish', 'port' => '80')),
    'queue' => array('amqp' => array('host' => 'rabbitmq', 'port' => 5672, 'user' => 'guest', 'password' => 'guest', 'virtualhost' => '/')),
);
