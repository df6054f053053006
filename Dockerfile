# The exporter, and nothing else: a wheel built in one stage, installed in another.
# docker build -t magento-observability .

FROM docker.io/library/python:3.11-slim-bookworm AS build
WORKDIR /src
RUN --mount=type=bind,source=requirements.lock,target=/requirements.lock \
    python3 -m venv /opt/exporter \
    && /opt/exporter/bin/pip install --no-cache-dir --no-deps --require-hashes -r /requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
COPY runbooks runbooks
COPY alerts/generated alerts/generated
COPY dashboards/generated dashboards/generated
COPY deploy deploy
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir hatchling==1.27.0 \
    && /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/exporter/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM docker.io/library/python:3.11-slim-bookworm
# varnishstat reads the counters of a Varnish whose working directory is mounted here.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends varnish \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 9816 --home-dir /nonexistent --shell /usr/sbin/nologin exporter \
    && install -d -o exporter -g exporter /var/lib/magento-exporter
COPY --from=build /opt/exporter /opt/exporter
ENV PATH=/opt/exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MAGENTO_EXPORTER_STATE_FILE=/var/lib/magento-exporter/state
USER 9816:9816
VOLUME /var/lib/magento-exporter
EXPOSE 9816
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9816/-/healthy', timeout=2)"]
ENTRYPOINT ["magento-exporter"]
CMD ["serve"]
