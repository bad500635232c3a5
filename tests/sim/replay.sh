#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs a simulation twice, in two processes, which must print the same: what happened is decided by the
# seeds alone. The last word of the output is a hash of all of it.
#
#     replay.sh PROGRAM ARGUMENT...
set -eu
first=$("$@")
second=$("$@")
printf '%s\n' "$first"
case $first in
*"state "*) ;;
*)
    echo "it prints no state"
    exit 1
    ;;
esac
[ "$first" = "$second" ] || {
    printf 'and then\n%s\n' "$second"
    exit 1
}
