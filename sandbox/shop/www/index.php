<?php
// The shop's front controller: as much of a storefront as a page cache can see.

declare(strict_types=1);

require __DIR__ . '/faults.php';

const PRODUCTS = 60;
const TOP_MENU = '<esi:include src="/page_cache/block/esi/blocks/%5B%22catalog.topnav%22%5D/handles/WyJkZWZhdWx0Il0%3D/" />';
const CATEGORIES = ['women', 'men', 'gear', 'training', 'sale'];

keep_opcache_in_shape();
if (fault_is_on('maintenance')) {
    http_response_code(503);
    header('Retry-After: 60');
    send_uncacheable('<h1>Service Temporarily Unavailable</h1>');
    exit;
}
$path = parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH) ?: '/';
if (preg_match('#^/(checkout|customer)(/|$)#', $path)) {
    send_private_page($path);
} elseif ($path === '/graphql') {
    send_store_config();
} elseif (str_starts_with($path, '/page_cache/block/esi/')) {
    send_fragment();
} elseif ($path === '/app/etc/env.php') {
    send_configuration();
} elseif ($path === '/') {
    send_page('Home', ['cms_p_2', 'cat_c', 'FPC']);
} elseif (preg_match('#^/product-(\d+)\.html$#', $path, $match) && $match[1] >= 1 && $match[1] <= PRODUCTS) {
    send_page('Product ' . (int) $match[1], ['cat_p_' . (int) $match[1], 'cat_p', 'FPC']);
} elseif (preg_match('#^/([a-z]+)\.html$#', $path, $match) && in_array($match[1], CATEGORIES, true)) {
    $tags = array_map(fn (int $id): string => "cat_p_$id", range(1, 12));
    send_page($match[1], ['cat_c_' . array_search($match[1], CATEGORIES, true), ...$tags, 'cat_p', 'FPC']);
} elseif ($path === '/catalogsearch/result/') {
    send_page('Search results', ['cat_p', 'FPC']);
} else {
    http_response_code(404);
    send_page('404 Not Found', ['cms_p_1', 'FPC']);
}

/** A page that every anonymous shopper may share. */
function send_page(string $title, array $tags): void
{
    if (fault_is_on('page-uncacheable')) {
        send_uncacheable("<!doctype html><html><title>$title</title><h1>$title</h1></html>");
        return;
    }
    header('Cache-Control: max-age=86400, public, s-maxage=86400');
    header('X-Magento-Tags: ' . implode(',', $tags));
    header('Content-Type: text/html; charset=UTF-8');
    work(8);
    echo "<!doctype html><html><title>$title</title>" . TOP_MENU . "<h1>$title</h1></html>\n";
}

/** The top menu, which Varnish fetches for each page that it delivers, and caches on its own. */
function send_fragment(): void
{
    header('Cache-Control: max-age=3600, public, s-maxage=3600');
    header('X-Magento-Tags: cat_c,store,cms_b');
    header('Content-Type: text/html; charset=UTF-8');
    work(8);
    echo "<nav>Menu</nav>\n";
}

/** What belongs to one shopper: the cart, the account, the private sections. */
function send_private_page(string $path): void
{
    header('Cache-Control: max-age=0, must-revalidate, no-cache, no-store, private');
    header('Pragma: no-cache');
    work(12);
    if (str_starts_with($path, '/customer/section/load')) {
        header('Content-Type: application/json');
        echo json_encode(['cart' => ['summary_count' => 0, 'data_id' => time()]]);
        return;
    }
    header('Content-Type: text/html; charset=UTF-8');
    echo "<!doctype html><title>Checkout</title><h1>Checkout</h1>\n";
}

/** What GraphQL answers to {storeConfig{store_code}}. */
function send_store_config(): void
{
    header('Cache-Control: max-age=0, must-revalidate, no-cache, no-store');
    header('Content-Type: application/json');
    work(12);
    if (fault_is_on('page-failing')) {
        http_response_code(500);
        return;
    }
    echo json_encode(['data' => ['storeConfig' => ['store_code' => 'default']]]);
}

/** What a web server's own rules close, unless they were lost. */
function send_configuration(): void
{
    if (!fault_is_on('file-exposed')) {
        http_response_code(403);
        send_uncacheable('<h1>403 Forbidden</h1>');
        return;
    }
    header('Content-Type: text/plain');
    echo "<?php\nreturn ['crypt' => ['key' => 'invented']];\n";
}

function send_uncacheable(string $body): void
{
    header('Cache-Control: max-age=0, must-revalidate, no-cache, no-store');
    header('Pragma: no-cache');
    header('Content-Type: text/html; charset=UTF-8');
    work(8);
    echo $body;
}

/** Take about as many milliseconds as said, as rendering would; or twenty seconds, if a service hangs. */
function work(int $milliseconds): void
{
    usleep((fault_is_on('php-full') ? 20000 : $milliseconds) * 1000);
}

/** Use more files than OPcache has room for while the fault is on, and begin anew after it. */
function keep_opcache_in_shape(): void
{
    $status = function_exists('opcache_get_status') ? opcache_get_status(false) : false;
    if ($status === false) {
        return;
    }
    if (!fault_is_on('opcache-full')) {
        if ($status['cache_full']) {
            opcache_reset();
        }
        return;
    }
    $directory = getenv('SANDBOX_STATE') . '/servers/classes';
    if (!$status['cache_full'] && (is_dir($directory) || mkdir($directory))) {
        for ($number = 0; $number < 400; $number++) {
            $file = "$directory/Class$number.php";
            if (!is_file($file)) {
                file_put_contents($file, "<?php return $number;\n");
                touch($file, time() - 60); // OPcache takes no file that has just changed
            }
            include $file;
        }
    }
}
