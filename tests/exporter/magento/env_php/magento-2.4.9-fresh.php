<?php
// A fresh 2.4.9 without --cache-backend: files, and no key 'backend'.
return [
    'cache' => ['frontend' => ['default' => [
        'id_prefix' => '5c1_', 'backend_options' => ['serializer' => 'igbinary']]]],
    'session' => ['save' => 'files'],
    'queue' => ['consumers_wait_for_messages' => 1],
];
