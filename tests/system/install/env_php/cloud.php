<?php
return array (
  'MAGE_MODE' => 'production',
  'cron' => 
  array (
    'enabled' => 1,
  ),
  'lock' => 
  array (
    'provider' => 'file',
    'config' => 
    array (
      'path' => '/run/app/locks',
    ),
  ),
  'cron_consumers_runner' => 
  array (
    'cron_run' => false,
    'max_messages' => 10000,
    'consumers' => 
    array (
    ),
    'multiple_processes' => 
    array (
    ),
  ),
  'db' => 
  array (
    'table_prefix' => 'm2_',
    'connection' => 
    array (
      'default' => 
      array (
        'username' => '@DB_USER@',
        'host' => 'primary.invalid',
        'dbname' => '@DB_NAME@',
        'password' => '@SECRET@',
      ),
      'indexer' => 
      array (
        'username' => '@DB_USER@',
        'host' => 'primary.invalid',
        'dbname' => '@DB_NAME@',
        'password' => '@SECRET@',
      ),
    ),
    'slave_connection' => 
    array (
      'default' => 
      array (
        'host' => '127.0.0.1:@DB_PORT@',
        'username' => '@DB_USER@',
        'dbname' => '@DB_NAME@',
        'password' => '@SECRET@',
        'model' => 'mysql4',
        'engine' => 'innodb',
        'initStatements' => 'SET NAMES utf8;',
        'active' => '1',
        'synchronous_replication' => true,
      ),
    ),
  ),
  'crypt' => 
  array (
    'key' => '@SECRET@',
  ),
  'resource' => 
  array (
    'default_setup' => 
    array (
      'connection' => 'default',
    ),
  ),
  'x-frame-options' => 'SAMEORIGIN',
  'queue' => 
  array (
    'amqp' => 
    array (
      'host' => '127.0.0.1',
      'port' => @AMQP_PORT@,
      'user' => 'shop',
      'password' => '@SECRET@',
      'virtualhost' => '/',
    ),
    'consumers_wait_for_messages' => 0,
  ),
  'cache' => 
  array (
    'frontend' => 
    array (
      'default' => 
      array (
        'backend' => '\\Magento\\Framework\\Cache\\Backend\\Redis',
        'backend_options' => 
        array (
          'server' => '127.0.0.1',
          'port' => @REDIS_PORT@,
          'database' => 0,
          '_useLua' => true,
        ),
      ),
      'page_cache' => 
      array (
        'backend' => '\\Magento\\Framework\\Cache\\Backend\\Redis',
        'backend_options' => 
        array (
          'server' => '127.0.0.1',
          'port' => @REDIS_PORT@,
          'database' => 1,
        ),
      ),
    ),
    'type' => 
    array (
      'default' => 
      array (
        'frontend' => 'default',
      ),
    ),
  ),
  'session' => 
  array (
    'save' => 'redis',
    'redis' => 
    array (
      'host' => '127.0.0.1',
      'port' => @REDIS_PORT@,
      'database' => 2,
      'disable_locking' => 1,
    ),
  ),
  'directories' => 
  array (
    'document_root_is_pub' => true,
  ),
  'install' => 
  array (
    'date' => 'Mon, 17 Apr 2023 05:06:07 +0000',
  ),
);
