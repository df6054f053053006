<?php
return ['db' => ['connection' => ['default' => ['host' => 'db', 'dbname' => 'm', 'username' => 'm', 'password' => 'x',
    'driver_options' => [1006 => '/k.pem', 1007 => '/c.pem', 1008 => '/ca.pem', 1013 => false]]]]];
