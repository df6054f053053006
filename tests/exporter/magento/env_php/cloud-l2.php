<?php
return array (
  'db' => array (
    'connection' => array (
      'default' => array ('host' => 'database.internal', 'dbname' => 'main', 'username' => 'user', 'password' => ''),
      'indexer' => array ('host' => 'database.internal', 'dbname' => 'main', 'username' => 'user')),
    'slave_connection' => array (
      'default' => array ('host' => 'replica.internal:3304', 'dbname' => 'main', 'username' => 'user', 'password' => 'x', 'synchronous_replication' => true))),
  'cache' => array (
    'frontend' => array (
      'default' => array (
        'backend' => '\\Magento\\Framework\\Cache\\Backend\\RemoteSynchronizedCache',
        'backend_options' => array (
          'remote_backend' => '\\Magento\\Framework\\Cache\\Backend\\Redis',
          'remote_backend_options' => array ('server' => 'redis.internal', 'port' => '6370', 'database' => 1, 'persistent' => 0, 'password' => 'x'),
          'local_backend' => 'Cm_Cache_Backend_File', 'local_backend_options' => array ('cache_dir' => '/dev/shm/'))),
      'page_cache' => array ('backend' => '\\Magento\\Framework\\Cache\\Backend\\Valkey',
        'backend_options' => array ('server' => 'redis.internal', 'database' => 2)))),
);
