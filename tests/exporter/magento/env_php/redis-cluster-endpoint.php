<?php
// The endpoints of a managed cluster: TLS in the address, a reader for the cache, an ACL login.
return ['cache' => ['frontend' => [
    'default' => ['backend' => '\\Magento\\Framework\\Cache\\Backend\\Redis', 'backend_options' => [
        'server' => 'tls://master.shop.abc123.euw1.cache.amazonaws.com', 'port' => '6379', 'database' => 0,
        'username' => 'magento', 'password' => 'planted',
        'load_from_slave' => 'tls://replica.shop.abc123.euw1.cache.amazonaws.com:6379',
        'retry_reads_on_master' => '1']],
    'page_cache' => ['backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => [
        'server' => 'tls://master.shop.abc123.euw1.cache.amazonaws.com:6380', 'database' => '1']]]],
    'session' => ['save' => 'redis', 'redis' => [
        'host' => 'tls://master.shop.abc123.euw1.cache.amazonaws.com', 'port' => '6379', 'database' => '2',
        'username' => 'magento', 'password' => 'planted']]];
