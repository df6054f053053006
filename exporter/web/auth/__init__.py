"""Who may read: basic auth, bearer token and TLS, in the file format of the Prometheus exporter-toolkit.

``configuration`` is the file, ``credentials`` the check of a login, ``web_auth``
follows the files while the server runs, ``middleware`` stands before the routes.
"""
