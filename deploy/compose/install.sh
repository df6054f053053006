#!/bin/sh
# The demo's first start: the shop's tables and a short past, the exporter's database user with the rights that it
# says it needs, and where the simulated shop finds its servers. A second start does nothing.
set -eu
mkdir -p /state/faults
chmod 777 /state/faults
cat > /state/endpoints.json <<JSON
{
  "database": {"host": "database", "port": 3306, "socket": "", "user": "magento",
               "password": "$DATABASE_PASSWORD", "name": "magento", "prefix": ""},
  "redis": {"host": "redis", "port": 6379, "databases": {"cache": 0, "page_cache": 1, "session": 2}},
  "rabbitmq": {"host": "rabbitmq", "amqp_port": 5672, "management_url": "http://rabbitmq:15672",
               "user": "magento", "password": "$RABBITMQ_PASSWORD", "vhost": "/"},
  "storefront": "http://varnish", "origin": "http://origin:8080", "varnish_purge": "http://varnish"
}
JSON
[ -e /state/installed ] && exit 0
socket=/run/mysqld/mysqld.sock
python3 -m sandbox.shop install --database-socket "$socket" --database-name magento --rate "$ORDER_RATE"
printf %s "$OBSERVER_PASSWORD" > /tmp/password
python3 -m exporter grants --dialect mariadb --password-file /tmp/password \
    --set "database.socket=$socket" --set database.user=root --set database.name=magento |
    mariadb --socket="$socket" --user=root
touch /state/installed
