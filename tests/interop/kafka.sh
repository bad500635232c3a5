#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Apache Kafka from Maven Central, for comparison: its tools, and a broker.
#
#   kafka.sh fetch tools|broker         downloads the jars once; 3 when that cannot be done here
#   kafka.sh tool CLASS ARGUMENT...     runs one of Kafka's tools
#   kafka.sh server FOLDER PORT [KEY=VALUE]...
#                                       a broker of one node in an empty FOLDER, in the foreground;
#                                       it is ready when PORT answers
#
# INTEROP_CACHE  where the jars are kept (default chitin-interop under XDG_CACHE_HOME or ~/.cache)
# KAFKA_HEAP     heap of the broker (default 1g)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chitin-interop}

fetch() { # tools|broker
    [ ! -e "$cache/$1/.complete" ] || return 0
    for program in java mvn; do
        command -v $program >/dev/null || {
            echo "kafka.sh: $program is missing (./dev deps interop)" >&2
            return 3
        }
    done
    mkdir -p "$cache/$1"
    mvn -q -B -f "$here/pom.xml" -P "$1" dependency:copy-dependencies \
        -DoutputDirectory="$cache/$1" >"$cache/$1.log" 2>&1 || {
        echo "kafka.sh: Maven Central is out of reach; see $cache/$1.log" >&2
        return 3
    }
    touch "$cache/$1/.complete"
}

server() { # FOLDER PORT KEY=VALUE...
    folder=$1
    port=$2
    shift 2
    mkdir -p "$folder"
    cat >"$folder/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
log.dirs=$folder/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
P
    for setting; do
        echo "$setting" >>"$folder/server.properties"
    done
    id=$(java -cp "$cache/broker/*" kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
    java -cp "$cache/broker/*" kafka.tools.StorageTool format -t "$id" \
        -c "$folder/server.properties" >"$folder/format.log" 2>&1
    exec java -Xmx"${KAFKA_HEAP:-1g}" -Xms"${KAFKA_HEAP:-1g}" -cp "$cache/broker/*" kafka.Kafka \
        "$folder/server.properties"
}

case ${1:-} in
fetch)
    fetch "$2"
    ;;
tool)
    fetch tools
    shift
    exec java -Xmx512m -cp "$cache/tools/*" "$@"
    ;;
server)
    fetch broker
    shift
    server "$@"
    ;;
*)
    sed -n '3,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'
    exit 2
    ;;
esac
