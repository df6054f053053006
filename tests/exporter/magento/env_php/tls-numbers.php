<?php
return ['db' => ['connection' => ['default' => ['host' => 'db', 'dbname' => 'm', 'username' => 'm', 'password' => 'x',
    'driver_options' => [1007 => '/k.pem', 1008 => '/c.pem', 1009 => '/ca.pem', 1014 => true, 1013 => false]]]]];
