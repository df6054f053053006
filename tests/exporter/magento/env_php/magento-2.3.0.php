<?php
// As bin/magento setup:install of 2.3.0 wrote it: no cache section, the queue's consumers, a date of the installation.
return array (
  'backend' =>
  array (
    'frontName' => 'admin_1x2y3z',
  ),
  'crypt' =>
  array (
    'key' => 'planted',
  ),
  'db' =>
  array (
    'table_prefix' => '',
    'connection' =>
    array (
      'default' =>
      array (
        'host' => 'localhost',
        'dbname' => 'magento',
        'username' => 'magento',
        'password' => 'planted',
        'active' => '1',
        'model' => 'mysql4',
        'engine' => 'innodb',
        'initStatements' => 'SET NAMES utf8;',
      ),
    ),
  ),
  'resource' =>
  array (
    'default_setup' =>
    array (
      'connection' => 'default',
    ),
  ),
  'x-frame-options' => 'SAMEORIGIN',
  'MAGE_MODE' => 'default',
  'session' =>
  array (
    'save' => 'files',
  ),
  'queue' =>
  array (
    'amqp' =>
    array (
      'host' => 'rabbitmq',
      'port' => '5672',
      'user' => 'guest',
      'password' => 'planted',
      'virtualhost' => '/',
      'ssl' => '',
    ),
  ),
  'cache_types' =>
  array (
    'config' => 1,
    'full_page' => 1,
  ),
  'install' =>
  array (
    'date' => 'Wed, 28 Nov 2018 10:11:12 +0000',
  ),
);
