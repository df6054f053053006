from sandbox.servers.mariadb import MariaDB


def test_mariadb_lets_root_in_over_the_socket(mariadb: MariaDB) -> None:
    assert mariadb.execute("SELECT current_user()") == (("root@localhost",),)
