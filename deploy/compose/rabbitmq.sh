#!/bin/sh
# RabbitMQ with its management API and its metrics, and one user.
set -eu
echo '[rabbitmq_management, rabbitmq_prometheus].' > /etc/rabbitmq/enabled_plugins
cat > /etc/rabbitmq/rabbitmq.conf <<CONF
default_user = magento
default_pass = $RABBITMQ_PASSWORD
loopback_users = none
log.console = true
log.file = false
CONF
export RABBITMQ_NODENAME=rabbit@localhost
exec rabbitmq-server
