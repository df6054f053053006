# Where the origin is and who may purge: the part of the configuration that differs between installations.
# This is the one for docker compose; the sandbox writes its own.

backend default {
    .host = "origin";
    .port = "8080";
    .first_byte_timeout = 600s;
    .probe = {
        .url = "/health_check.php";
        .timeout = 2s;
        .interval = 5s;
        .window = 10;
        .threshold = 5;
    }
}

# Private addresses: which of them Docker or podman gives to its networks differs.
acl purge {
    "localhost";
    "10.0.0.0"/8;
    "172.16.0.0"/12;
    "192.168.0.0"/16;
}
