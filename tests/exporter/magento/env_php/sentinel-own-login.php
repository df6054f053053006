<?php
return ['cache' => ['frontend' => ['page_cache' => ['backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => [
    'server' => 'sentinel', 'sentinel_master' => 'm', 'username' => 'shop', 'password' => 'x',
    'sentinel' => ['password' => 'y']]]]]];
