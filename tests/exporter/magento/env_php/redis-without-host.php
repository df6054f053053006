<?php
return ['session' => ['save' => 'redis', 'redis' => []], 'cache' => ['frontend' => ['default' => [
    'backend' => 'Cm_Cache_Backend_Redis', 'backend_options' => ['port' => '6380']]]]];
