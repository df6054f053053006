#!/bin/sh
# nginx and PHP-FPM as the shop's origin, from the same template as in the sandbox.
set -eu
export ORIGIN_LISTEN=8080 ORIGIN_STATUS_LISTEN=8081 ORIGIN_ROOT=/project/sandbox/shop/www PHP_FPM=unix:/run/php-fpm.sock
python3 - <<'PYTHON'
import os, pathlib, string
template = pathlib.Path("deploy/nginx/origin.conf.template").read_text()
for name in ("ORIGIN_LISTEN", "ORIGIN_STATUS_LISTEN", "ORIGIN_ROOT", "PHP_FPM"):
    template = template.replace("${" + name + "}", os.environ[name])
pathlib.Path("/etc/nginx/sites-enabled/default").write_text(template)
PYTHON
cat > /etc/php-fpm.conf <<'CONF'
[global]
daemonize = yes
error_log = /dev/stderr
[www]
user = www-data
group = www-data
listen = /run/php-fpm.sock
listen.owner = www-data
pm = dynamic
pm.max_children = 8
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
pm.status_path = /php-fpm-status
clear_env = no
CONF
/usr/sbin/php-fpm[0-9]* -n -y /etc/php-fpm.conf
exec nginx -g "daemon off;"
