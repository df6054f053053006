<?php
return ['session' => ['save' => 'redis', 'redis' => [
    'sentinel_servers' => 'tcp://s1.example, s2.example:26380 ,tcp://[2001:db8::5]:26381', 'sentinel_master' => 'sessions',
    'sentinel_verify_master' => '1', 'password' => 'x', 'database' => '3']]];
