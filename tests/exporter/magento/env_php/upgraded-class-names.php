<?php
// Upgraded to 2.4.9, and not rewritten: each of these names means files there.
return [
    'cache' => ['frontend' => [
        'default' => ['backend' => '\\Magento\\Framework\\Cache\\Backend\\RemoteSynchronizedCache', 'backend_options' => [
            'remote_backend' => '\\Magento\\Framework\\Cache\\Backend\\Redis',
            'remote_backend_options' => ['server' => 'redis', 'database' => '0'],
            'local_backend' => 'Cm_Cache_Backend_File', 'local_backend_options' => ['cache_dir' => '/dev/shm/']]],
        'page_cache' => ['backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => [
            'server' => 'redis', 'database' => '1']],
        'third' => ['backend' => 'Cm_Cache_Backend_File'],
        'fourth' => ['backend' => 'Magento\\Framework\\Cache\\Backend\\Valkey', 'backend_options' => ['server' => 'redis']]]],
];
