vcl 4.1;

# A Varnish in front of a shop, with the observable behaviour of the configuration that Magento 2.4.8 generates:
# what is passed, what is cached and for how long, what a purge does, and which debug header comes back.

import std;

# Found through the parameter vcl_path, beside this file unless somebody says otherwise.
include "backend.vcl";

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purge) {
            return (synth(405, "Method not allowed"));
        }
        if (!req.http.X-Magento-Tags-Pattern && !req.http.X-Pool) {
            return (synth(400, "X-Magento-Tags-Pattern or X-Pool header required"));
        }
        # Object-side expressions only: the ban lurker can work these off on its own.
        if (req.http.X-Magento-Tags-Pattern) {
            ban("obj.http.X-Magento-Tags ~ " + req.http.X-Magento-Tags-Pattern);
        }
        if (req.http.X-Pool) {
            ban("obj.http.X-Pool ~ " + req.http.X-Pool);
        }
        return (synth(200, "Purged"));
    }

    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    if (req.url ~ "/customer" || req.url ~ "/checkout") {
        return (pass);
    }
    if (req.url ~ "^/(pub/)?health_check\.php$") {
        return (pass);
    }
    if (req.url ~ "^/(pub/)?(media|static)/") {
        return (pass);
    }
    if (req.url ~ "/graphql" && req.http.Authorization ~ "^Bearer" && !req.http.X-Magento-Cache-Id) {
        return (pass);
    }

    call strip_marketing_parameters;

    # A sick origin may be hidden behind pages as old as beresp.grace; a healthy one is asked after five minutes.
    if (std.healthy(req.backend_hint)) {
        set req.grace = 300s;
    }
    return (hash);
}

sub strip_marketing_parameters {
    if (req.url ~ "(\?|&)(gclid|cx|ie|cof|siteurl|zanpid|origin|fbclid|mc_[a-z]+|utm_[a-z]+|_bta_[a-z]+|gad_source|gbraid|wbraid|_gl|dclid|gclsrc|srsltid|msclkid|_kx)=") {
        set req.url = regsuball(req.url, "(gclid|cx|ie|cof|siteurl|zanpid|origin|fbclid|mc_[a-z]+|utm_[a-z]+|_bta_[a-z]+|gad_source|gbraid|wbraid|_gl|dclid|gclsrc|srsltid|msclkid|_kx)=[^&]*&?", "");
        set req.url = regsub(req.url, "[?&]+$", "");
    }
}

sub vcl_hash {
    hash_data(req.url);
    if (req.http.host) {
        hash_data(req.http.host);
    } else {
        hash_data(server.ip);
    }
    # Customer group, currency, store and login state, as one opaque value.
    if (req.http.Cookie ~ "X-Magento-Vary=") {
        hash_data(regsub(req.http.Cookie, "^.*?X-Magento-Vary=([^;]+);*.*$", "\1"));
    }
    hash_data(req.http.X-Forwarded-Proto);
    if (req.url ~ "/graphql") {
        hash_data(req.http.X-Magento-Cache-Id);
        hash_data(req.http.Store);
        hash_data(req.http.Content-Currency);
    }
    return (lookup);
}

sub vcl_backend_response {
    set beresp.grace = 3d;

    if (beresp.http.Content-Type ~ "text") {
        set beresp.do_esi = true;
        set beresp.do_gzip = true;
    }

    if ((beresp.status != 200 && beresp.status != 404) || beresp.http.Cache-Control ~ "private") {
        set beresp.uncacheable = true;
        set beresp.ttl = 86400s;
        return (deliver);
    }
    if (beresp.ttl <= 0s ||
        beresp.http.Surrogate-Control ~ "no-store" ||
        (!beresp.http.Surrogate-Control && beresp.http.Cache-Control ~ "no-cache|no-store") ||
        beresp.http.Vary == "*") {
        set beresp.uncacheable = true;
        set beresp.ttl = 120s;
        return (deliver);
    }
    if (bereq.method == "GET" || bereq.method == "HEAD") {
        unset beresp.http.Set-Cookie;
    }
    return (deliver);
}

sub vcl_deliver {
    if (obj.uncacheable) {
        set resp.http.X-Magento-Cache-Debug = "UNCACHEABLE";
    } else if (obj.hits > 0) {
        set resp.http.X-Magento-Cache-Debug = "HIT";
    } else {
        set resp.http.X-Magento-Cache-Debug = "MISS";
    }
    if (!resp.http.X-Magento-Debug) {
        unset resp.http.Age;
    }
    unset resp.http.X-Magento-Debug;
    unset resp.http.X-Magento-Tags;
    unset resp.http.X-Powered-By;
    unset resp.http.Server;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
    unset resp.http.Link;
}
