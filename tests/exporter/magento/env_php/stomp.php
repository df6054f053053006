<?php
// setup:config:set --stomp-host of 2.4.9 and of the patch lines.
return [
    'queue' => ['consumers_wait_for_messages' => 1, 'only_spawn_when_message_available' => 1,
        'stomp' => ['host' => 'artemis', 'port' => '61617', 'user' => 'shop', 'password' => 'planted', 'ssl' => 'true',
            'ssl_options' => ['cafile' => '/etc/ssl/mq.pem', 'verify_peer' => true],
            'heartbeat_send' => 10000, 'heartbeat_receive' => 10000, 'read_timeout' => 250000]],
];
