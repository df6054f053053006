#!/usr/bin/env bash
# Builds both images and runs them with podman, then deploy/compose/beside-a-shop.yml less Grafana, by podman-compose: no Docker
# engine and no image registry is needed. With COMPOSE=whole docker-compose.yml as a whole, less Grafana: eight minutes more.
# Debian as root; installs the tools by itself. Everything lives in one directory that is removed at the end, with
# mounts, processes, networks and firewall rules of its own, which end with it. Some nine minutes on two quiet cores.
# The base image is a stand-in under the name that our Dockerfiles use: Debian's own Python 3.11, by debootstrap.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=(podman buildah runc debootstrap netavark aardvark-dns containernetworking-plugins iproute2)
base=docker.io/library/python:3.11-slim-bookworm

dpkg-query --show "${tools[@]}" >/dev/null 2>&1 || {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    apt-get install --quiet=2 --yes --no-install-recommends "${tools[@]}" >/dev/null
}

[ "${1:-}" = apart ] || exec unshare --mount "$BASH" "$0" apart
for place in /var/lib/containers /run/containers; do
    mkdir -p "$place"
    mount -t tmpfs containers "$place"
done

work=$(mktemp -d -t containers.XXXXXX)
driver=overlay # a container on vfs is a whole copy of its image
mkdir -p "$work"/probe/{below,above,temporary,merged}
if mount -t overlay probe -o "lowerdir=$work/probe/below,upperdir=$work/probe/above,workdir=$work/probe/temporary" \
    "$work/probe/merged" 2>/dev/null; then
    umount "$work/probe/merged"
else
    driver=vfs
fi
store=(--root "$work/store" --runroot "$work/run" --storage-driver "$driver")
podman=(podman "${store[@]}" --runtime runc --cgroup-manager cgroupfs --network-config-dir "$work/networks"
    --tmpdir "$work/libpod")
clean_up() {
    findmnt --noheadings --raw --output TARGET | { grep "^$work/" || true; } | tac | xargs --no-run-if-empty umount
    rm -rf "$work"
}
trap clean_up EXIT
mkdir -p "$work/base" "$work/networks"

# What this machine's package index is stays out of the layers: it is mounted while building.
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sort -u | sed -n 's/^bookworm //p')
{
    echo "[global]"
    python3 -m pip config list 2>/dev/null |
        sed -nE "s/^(global|:env:)\.(index-url|extra-index-url)='(.*)'/\2 = \3/p"
} >"$work/pip.conf"
build() {
    buildah "${store[@]}" bud --isolation chroot --format docker --quiet \
        --volume /etc/ssl/certs:/etc/ssl/certs:ro --volume "$work/pip.conf:/etc/pip.conf:ro" "$@" \
        >"$work/build.log" 2>&1 || { tail -40 "$work/build.log"; exit 1; }
}

echo "base image ($(date -u +%T))"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/rootfs" "$mirror" \
    >"$work/build.log" 2>&1 || { tail -20 "$work/build.log"; exit 1; }
rm -rf "$work"/rootfs/var/cache/apt/archives/*.deb "$work"/rootfs/var/lib/apt/lists/*
tar -C "$work/rootfs" -cf "$work/base/rootfs.tar" .
rm -rf "$work/rootfs"
printf 'FROM scratch\nADD rootfs.tar /\nCMD ["python3"]\n' >"$work/base/Dockerfile"
build --tag "$base" "$work/base"
rm "$work/base/rootfs.tar"

echo "magento-observability ($(date -u +%T))"
build --pull=never --tag magento-observability .
echo "magento-sandbox ($(date -u +%T))"
build --pull=never --tag magento-sandbox --file sandbox/Dockerfile .

# Prometheus' and Alertmanager's own images cannot be had: Debian's programs stand in, as their user and with their volumes.
stand_in() {
    mkdir -p "$work/stand-in"
    printf 'FROM magento-sandbox\nRUN mkdir -p /%s && chown nobody:nogroup /%s\nUSER nobody\nVOLUME /%s\nENTRYPOINT ["%s"]\n' \
        "$3" "$3" "$3" "$2" >"$work/stand-in/Dockerfile"
    build --pull=never --tag "$1" "$work/stand-in"
}
stand_in docker.io/prom/prometheus:v2.55.1 prometheus prometheus
stand_in docker.io/prom/alertmanager:v0.28.1 prometheus-alertmanager alertmanager

compose=build/podman-compose
if [ ! -x "$compose/bin/podman-compose" ]; then
    python3 -m venv "$compose"
    "$compose/bin/pip" install --quiet --disable-pip-version-check podman-compose==1.6.0
fi
# Debian 12's podman cannot wait for health, so podman-compose would ignore it: this does, by the container's own check.
export DISABLE_HC_SYSTEMD=true
cat >"$work/podman" <<SH
#!/bin/bash
podman=(${podman[*]@Q})
case \$1 in
--version) echo "podman version 4.6.0" && exit ;;
create | run) # podman-compose itself waits for what a service requires; this podman fails over what that requires
    for word in "\${@:2}"; do [[ \$word == --requires=* ]] || words+=("\$word"); done
    set -- "\$1" --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "\${words[@]}"
    ;;
wait)
    if [ "\$2" = --condition=healthy ]; then
        for name in "\${@:3}"; do
            for second in {1..180}; do "\${podman[@]}" healthcheck run "\$name" >/dev/null 2>&1 && break; sleep 1; done
            [ "\$second" -lt 180 ] || { echo "\$name is not healthy" >&2; exit 1; }
        done
        exit
    fi
    ;;
esac
exec "\${podman[@]}" "\$@"
SH
chmod +x "$work/podman"

apart() {
    unshare --net --pid --fork --kill-child --mount-proc sh -c 'ip link set lo up && exec "$@"' run .venv/bin/python -m "$@"
}
composed=("$compose/bin/podman-compose" --podman-path "$work/podman")
echo "running them ($(date -u +%T))"
apart tests.system.install.containers "${podman[@]}"
echo "running deploy/compose/beside-a-shop.yml ($(date -u +%T))"
apart tests.system.install.beside "${composed[@]}" --file deploy/compose/beside-a-shop.yml -- "${podman[@]}"
[ "${COMPOSE:-}" = whole ] || { echo "left out: docker-compose.yml as a whole (COMPOSE=whole)"; exit 0; }
echo "running docker-compose.yml ($(date -u +%T))"
apart tests.system.install.composed "${composed[@]}" --file docker-compose.yml -- "${podman[@]}"
echo "done ($(date -u +%T))"
