#!/bin/sh
# MariaDB with the shop's empty database and its user. The password is set at each start, so a new one in .env is followed.
set -eu
mkdir -p /run/mysqld
chown mysql:mysql /run/mysqld /var/lib/mysql
[ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket >/dev/null
password=$(printf %s "$DATABASE_PASSWORD" | sed "s/[\\\\']/\\\\&/g")
cat > /run/users.sql <<SQL
CREATE DATABASE IF NOT EXISTS magento;
CREATE USER IF NOT EXISTS 'magento'@'%';
ALTER USER 'magento'@'%' IDENTIFIED BY '$password';
GRANT ALL ON magento.* TO 'magento'@'%';
GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO 'magento'@'%';
SQL
chmod 400 /run/users.sql
chown mysql:mysql /run/users.sql
exec mariadbd --user=mysql --bind-address=0.0.0.0 --skip-name-resolve --innodb-buffer-pool-size=512M --init-file=/run/users.sql
