#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD [--all-versions] [WORD]: clients of other languages and Apache Kafka's own tools against
# the broker of a build. Each fetches what it needs from its registry (Maven Central, PyPI, npm, the Go
# proxy) into INTEROP_CACHE; where that is out of reach, its tests are skipped, and the end says so
# loudly. --all-versions: what shares its directory with Apache Kafka does so with each version, not
# only the newest. SYSTEM_BOOTSTRAP=host:port tests that broker instead.
#
# run.sh BUILD compare [WORD]: only the comparison of answers with Apache Kafka (compare/), which
# comes last without a WORD.
set -eu
build=$1
versions=
[ "${2:-}" != --all-versions ] || {
    versions=$2
    shift
}
word=${2:-}
cd "$(dirname "$0")"
INTEROP_CACHE=${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chitin-interop}
export INTEROP_CACHE
mkdir -p "$INTEROP_CACHE" "$build/results"

python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import pytest, confluent_kafka, kafka' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || {
    echo "run.sh: python3-pytest is needed (./dev deps test)" >&2
    exit 1
}

CHITIN=${CHITIN:-$build/chitin}
export CHITIN
if [ "$word" = compare ]; then
    shift 2
    exec "$python" compare/run.py "$@"
fi
status=0
"$python" -m pytest -q -p no:cacheprovider -rs \
    $versions --junitxml="$build/results/interop.xml" . ${word:+-k "$word"} || status=$?
if [ -z "$word" ] && [ -z "${SYSTEM_BOOTSTRAP:-}" ]; then
    "$python" compare/run.py || status=$?
fi
exit $status
