"""The series of the exporters of what a shop stands on, and the labels that their targets carry.

A series is here only if a recorded page has it (``tests/exporters``). The rules ask for it by the shop and
the role of the server, never by a host name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from exporter.core.metrics import Kind
from exporter.magento.roles import ROLE, Role
from promql.expr import Selector, series
from promql.metrics import ALERTS, UP, External

MYSQLD: Final = "mysqld_exporter"
REDIS: Final = "redis_exporter"
ELASTICSEARCH: Final = "elasticsearch_exporter"
PHP_FPM: Final = "php-fpm_exporter"
NGINX: Final = "nginx-prometheus-exporter"
RABBITMQ: Final = "rabbitmq_prometheus"
VARNISH: Final = "prometheus_varnish_exporter"
NODE: Final = "node_exporter"
BLACKBOX: Final = "blackbox_exporter"

SERIES: Final[list[External]] = []
"""Every series that is declared here."""


def _external(name: str, kind: Kind, origin: str, *labels: str) -> External:
    found = External(name, kind, origin, (ROLE, *labels))
    SERIES.append(found)
    return found


def _gauge(name: str, origin: str, *labels: str) -> External:
    return _external(name, Kind.GAUGE, origin, *labels)


def _counter(name: str, origin: str, *labels: str) -> External:
    return _external(name, Kind.COUNTER, origin, *labels)


_STATUS: Final = "mysql_global_status"
_INNODB: Final = "mysql_info_schema_innodb_metrics"
_REPLICATION: Final = "mysql_slave_status"
CHANNEL: Final = ("channel_name", "connection_name")
"""What tells two replications of one server apart."""

MYSQL_UP: Final = _gauge("mysql_up", MYSQLD)
CONNECTED: Final = _gauge(f"{_STATUS}_threads_connected", MYSQLD)
RUNNING: Final = _gauge(f"{_STATUS}_threads_running", MYSQLD)
MOST_CONNECTIONS: Final = _gauge("mysql_global_variables_max_connections", MYSQLD)
CONNECTIONS: Final = _counter(f"{_STATUS}_connections", MYSQLD)
CONNECTION_ERRORS: Final = _counter(f"{_STATUS}_connection_errors_total", MYSQLD, "error")
FAILED_CONNECTS: Final = _counter(f"{_STATUS}_aborted_connects", MYSQLD)
QUERIES: Final = _counter(f"{_STATUS}_queries", MYSQLD)
SLOW_QUERIES: Final = _counter(f"{_STATUS}_slow_queries", MYSQLD)
BUFFER_READS: Final = _counter(f"{_STATUS}_innodb_buffer_pool_reads", MYSQLD)
BUFFER_REQUESTS: Final = _counter(f"{_STATUS}_innodb_buffer_pool_read_requests", MYSQLD)
LOCK_WAITERS: Final = _gauge(f"{_STATUS}_innodb_row_lock_current_waits", MYSQLD)
DEADLOCKS: Final = _counter(f"{_STATUS}_innodb_deadlocks", MYSQLD)
DEADLOCKS_OF_METRICS: Final = _counter(f"{_INNODB}_lock_lock_deadlocks_total", MYSQLD)
DEADLOCKS_OF_METRICS_BEFORE: Final = _counter(f"{_INNODB}_lock_lock_deadlocks", MYSQLD)
HISTORY: Final = _gauge(f"{_STATUS}_innodb_history_list_length", MYSQLD)
HISTORY_OF_METRICS: Final = _gauge(f"{_INNODB}_transaction_trx_rseg_history_len", MYSQLD)
LAG: Final = _gauge(f"{_REPLICATION}_seconds_behind_master", MYSQLD, *CHANNEL)
LAG_RENAMED: Final = _gauge(f"{_REPLICATION}_seconds_behind_source", MYSQLD, *CHANNEL)
READER: Final = _gauge(f"{_REPLICATION}_slave_io_running", MYSQLD, *CHANNEL)
READER_RENAMED: Final = _gauge(f"{_REPLICATION}_replica_io_running", MYSQLD, *CHANNEL)
APPLIER: Final = _gauge(f"{_REPLICATION}_slave_sql_running", MYSQLD, *CHANNEL)
APPLIER_RENAMED: Final = _gauge(f"{_REPLICATION}_replica_sql_running", MYSQLD, *CHANNEL)

REDIS_USED: Final = _gauge("redis_memory_used_bytes", REDIS)
REDIS_MOST: Final = _gauge("redis_memory_max_bytes", REDIS)
REDIS_ERRORS: Final = _counter("redis_errors_total", REDIS, "err")
REDIS_COMMANDS: Final = _counter("redis_commands_processed_total", REDIS)
REDIS_CLIENTS: Final = _gauge("redis_connected_clients", REDIS)
REDIS_MOST_CLIENTS: Final = _gauge("redis_config_maxclients", REDIS)
REDIS_HITS: Final = _counter("redis_keyspace_hits_total", REDIS)
REDIS_MISSES: Final = _counter("redis_keyspace_misses_total", REDIS)
REDIS_EVICTED: Final = _counter("redis_evicted_keys_total", REDIS)
REDIS_OUTPUT: Final = _counter("redis_net_output_bytes_total", REDIS)
REDIS_SLOW: Final = _gauge("redis_slowlog_length", REDIS)
REDIS_REPLICAS: Final = _gauge("redis_connected_slaves", REDIS)
REDIS_INSTANCE: Final = _gauge("redis_instance_info", REDIS, "maxmemory_policy")
SENTINELS: Final = _gauge("redis_sentinel_master_ok_sentinels", REDIS, "master_name")
SENTINEL_QUORUM: Final = _gauge("redis_sentinel_master_ckquorum_status", REDIS, "master_name")

SEARCH_STATUS: Final = _gauge("elasticsearch_cluster_health_status", ELASTICSEARCH, "cluster", "color")
SEARCH_READ_ONLY: Final = _gauge("elasticsearch_indices_settings_stats_read_only_indices", ELASTICSEARCH)
SEARCH_REJECTED: Final = _counter(
    "elasticsearch_thread_pool_rejected_count", ELASTICSEARCH, "cluster", "name", "type"
)
SEARCH_QUERIES: Final = _counter("elasticsearch_indices_search_query_total", ELASTICSEARCH, "cluster", "name")
SEARCH_TIME: Final = _counter(
    "elasticsearch_indices_search_query_time_seconds", ELASTICSEARCH, "cluster", "name"
)

PHP_ACTIVE: Final = _gauge("php_fpm_active_processes", PHP_FPM, "socket_path")
PHP_IDLE: Final = _gauge("php_fpm_idle_processes", PHP_FPM, "socket_path")
PHP_QUEUE: Final = _gauge("php_fpm_listen_queue", PHP_FPM, "socket_path")
PHP_FULL: Final = _counter("php_fpm_max_children_reached", PHP_FPM, "socket_path")

NGINX_REQUESTS: Final = _counter("nginx_http_requests_total", NGINX)
NGINX_ACTIVE: Final = _gauge("nginx_connections_active", NGINX)
NGINX_ACCEPTED: Final = _counter("nginx_connections_accepted", NGINX)
NGINX_HANDLED: Final = _counter("nginx_connections_handled", NGINX)

VARNISH_REQUESTS: Final = _counter("varnish_main_client_req", VARNISH)
VARNISH_FETCHES: Final = _counter("varnish_main_fetch", VARNISH, "type")
VARNISH_BACKEND_FAILED: Final = _counter("varnish_main_backend_fail", VARNISH)
VARNISH_BACKEND_UNHEALTHY: Final = _counter("varnish_main_backend_unhealthy", VARNISH)
VARNISH_BACKEND_BUSY: Final = _counter("varnish_main_backend_busy", VARNISH)
VARNISH_THREADS: Final = _gauge("varnish_main_threads", VARNISH)
VARNISH_THREADS_LIMITED: Final = _counter("varnish_main_threads_limited", VARNISH)
VARNISH_QUEUE: Final = _gauge("varnish_main_thread_queue_len", VARNISH)

BROKER_MEMORY: Final = _gauge("rabbitmq_process_resident_memory_bytes", RABBITMQ)
BROKER_MOST_MEMORY: Final = _gauge("rabbitmq_resident_memory_limit_bytes", RABBITMQ)
BROKER_DISK: Final = _gauge("rabbitmq_disk_space_available_bytes", RABBITMQ)
BROKER_LEAST_DISK: Final = _gauge("rabbitmq_disk_space_available_limit_bytes", RABBITMQ)
BROKER_FILES: Final = _gauge("rabbitmq_process_open_fds", RABBITMQ)
BROKER_MOST_FILES: Final = _gauge("rabbitmq_process_max_fds", RABBITMQ)
BROKER_CONNECTIONS: Final = _gauge("rabbitmq_connections", RABBITMQ)
BROKER_MESSAGES: Final = _gauge("rabbitmq_queue_messages_ready", RABBITMQ)
BROKER_PUBLISHED: Final = _counter("rabbitmq_queue_messages_published_total", RABBITMQ)
BROKER_UNROUTABLE: Final = _counter("rabbitmq_channel_messages_unroutable_dropped_total", RABBITMQ)
BROKER_MEMORY_ALARM: Final = _gauge("rabbitmq_alarms_memory_used_watermark", RABBITMQ)
BROKER_DISK_ALARM: Final = _gauge("rabbitmq_alarms_free_disk_space_watermark", RABBITMQ)

DISK_FREE: Final = _gauge("node_filesystem_avail_bytes", NODE, "device", "fstype", "mountpoint")
DISK_SIZE: Final = _gauge("node_filesystem_size_bytes", NODE, "device", "fstype", "mountpoint")
INODES_FREE: Final = _gauge("node_filesystem_files_free", NODE, "device", "fstype", "mountpoint")
INODES: Final = _gauge("node_filesystem_files", NODE, "device", "fstype", "mountpoint")
OOM_KILLS: Final = _counter("node_vmstat_oom_kill", NODE)
CPU: Final = _counter("node_cpu_seconds_total", NODE, "cpu", "mode")
MEMORY_FREE: Final = _gauge("node_memory_MemAvailable_bytes", NODE)
MEMORY: Final = _gauge("node_memory_MemTotal_bytes", NODE)
PRESSURE_CPU: Final = _counter("node_pressure_cpu_waiting_seconds_total", NODE)
PRESSURE_MEMORY: Final = _counter("node_pressure_memory_waiting_seconds_total", NODE)
PRESSURE_IO: Final = _counter("node_pressure_io_waiting_seconds_total", NODE)


EXPORTER_UP: Final = replace(UP, labels=(ROLE,))
PLATFORM_ALERTS: Final = replace(ALERTS, labels=(*ALERTS.labels, ROLE))


def having(*roles: Role) -> dict[str, str]:
    """Return the matcher of the servers that have one of the roles, alone or beside others."""
    return {ROLE: f"=~(.+[+])?({'|'.join(roles)})([+].+)?"}


def of_shop(metric: External, *roles: Role, **matchers: str) -> Selector:
    """Select what belongs to a shop: its target has a shop's name, and one of the roles if any is named.

    A target without the labels that ``magento-exporter targets`` writes is nobody's, so no alert reads it.
    """
    return series(metric, shop="!=", **(having(*roles) if roles else {}), **matchers)
