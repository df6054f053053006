<?php
// What Varnish asks: 200 with an empty body, or 500 when the database or the cache cannot be reached.

declare(strict_types=1);

require __DIR__ . '/faults.php';

http_response_code(fault_is_on('backend-sick') ? 503 : 200);
