#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# bare-debian.sh [FOLDER]: an empty Debian 12 (debootstrap, its base system and nothing else) in
# FOLDER (default: a new temporary one), a copy of this checkout in it, and there: `./dev run` serves,
# `./dev test` passes, and both are quick the second time. Needs root, debootstrap and a Debian
# mirror. Takes some minutes, so it is no part of `./dev test`.
#
# DEBIAN_MIRROR  a mirror to use instead of the one that debootstrap knows
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$(mktemp -d /var/tmp/bare-debian.XXXXXX)}
mirror=${DEBIAN_MIRROR:-}

[ "$(id -u)" = 0 ] || {
    echo "bare-debian.sh: needs root for chroot" >&2
    exit 2
}

cleanup() {
    umount "$folder/proc" 2>/dev/null || :
    umount "$folder/dev" 2>/dev/null || :
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

if [ ! -e "$folder/etc/debian_version" ]; then
    # shellcheck disable=SC2086 # no word when there is no mirror
    debootstrap --variant=minbase bookworm "$folder" $mirror >"$folder.log" 2>&1 || {
        tail -n 20 "$folder.log" >&2
        exit 1
    }
    rm -f "$folder.log"
fi
# The resolver, proxies and certificates of this machine, whatever they are.
cp -L /etc/resolv.conf "$folder/etc/resolv.conf" 2>/dev/null || :
cp /etc/apt/apt.conf.d/*proxy* "$folder/etc/apt/apt.conf.d/" 2>/dev/null || :
mount -t proc proc "$folder/proc"
mount --bind /dev "$folder/dev"

rm -rf "$folder/src"
mkdir "$folder/src"
(cd "$root" && git ls-files -z | xargs -0 tar cf -) | tar xf - -C "$folder/src"

inside() {
    chroot "$folder" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        sh -c "cd /src && $1" </dev/null
}

# Starts the broker, waits until it says that it is ready, makes it stop.
serve() {
    inside '
        (./dev run --override log.dirs=/tmp/data --override listeners=PLAINTEXT://127.0.0.1:29092 \
            >/tmp/run.log 2>&1; echo $? >/tmp/run.status) &
        for i in $(seq 3000); do
            grep -q "PLAINTEXT.*29092\|127.0.0.1:29092" /tmp/run.log && break
            [ ! -e /tmp/run.status ] || break
            sleep 0.1
        done
        sleep 0.5
        for p in /proc/[0-9]*; do
            [ "$(readlink $p/exe)" = /src/build/chitin ] && kill ${p#/proc/}
        done
        wait
        cat /tmp/run.log
        [ "$(cat /tmp/run.status)" = 0 ]'
}

timed() {
    began=$(date +%s)
    "$@"
    echo "=== $*: $(($(date +%s) - began)) s"
}

timed serve
inside 'rm -rf /tmp/run.status /tmp/data'
timed serve
timed inside './dev test'
timed inside './dev test'
echo "bare Debian: good"
