<?php
// What OPcache says of itself, for the Magento exporter (php.opcache_script). PHP-FPM runs it over FastCGI:
// put it where PHP may read it and no web server serves it, e.g. /usr/local/lib/magento-exporter/opcache.php.

declare(strict_types=1);

header('Content-Type: application/json');
$status = function_exists('opcache_get_status') ? opcache_get_status(false) : false;
echo json_encode($status === false ? new stdClass() : $status);
