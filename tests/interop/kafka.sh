#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Apache Kafka from Maven Central, for comparison: its tools, and a broker.
#
#   kafka.sh fetch tools|broker|streams|logging
#                                       downloads the jars once; 3 when that cannot be done here
#   kafka.sh tool CLASS ARGUMENT...     runs one of Kafka's tools
#   kafka.sh server FOLDER PORT [KEY=VALUE]...
#                                       a broker of one node in an empty FOLDER, in the foreground;
#                                       it is ready when PORT answers
#   kafka.sh format FILE ARGUMENT...    formats the directories of a properties file
#   kafka.sh run FILE                   a broker with a properties file, in the foreground, which
#                                       says on stderr what it does
#
# KAFKA_VERSION  of the broker: 4.4.0 (default), 4.3.1, 4.2.1, 4.1.2, 4.0.1
# INTEROP_CACHE  where the jars are kept (default chitin-interop under XDG_CACHE_HOME or ~/.cache)
# KAFKA_HEAP     heap of the broker (default 1g)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chitin-interop}
version=${KAFKA_VERSION:-4.4.0}
heap=${KAFKA_HEAP:-1g}
broker=$cache/broker-$version
tools_api=$version
# The one jar of 4.4.0 that is not there.
[ "$version" != 4.4.0 ] || {
    broker=$cache/broker
    tools_api=4.3.1
}

fetch() { # tools|broker|streams|logging
    folder=$cache/$1
    [ "$1" != broker ] || folder=$broker
    [ ! -e "$folder/.complete" ] || return 0
    for program in java mvn; do
        command -v $program >/dev/null || {
            echo "kafka.sh: $program is missing (./dev deps interop)" >&2
            return 3
        }
    done
    mkdir -p "$folder"
    mvn -q -B -f "$here/pom.xml" -P "$1" -Dkafka.version="$version" -Dtools.api.version="$tools_api" \
        dependency:copy-dependencies -DoutputDirectory="$folder" >"$folder.log" 2>&1 || {
        echo "kafka.sh: Maven Central is out of reach; see $folder.log" >&2
        return 3
    }
    touch "$folder/.complete"
}

format() { # FILE ARGUMENT...
    file=$1
    shift
    java -cp "$broker/*" kafka.tools.StorageTool format -c "$file" "$@"
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
    id=$(java -cp "$broker/*" kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
    format "$folder/server.properties" -t "$id" >"$folder/format.log" 2>&1
    exec java -Xmx"$heap" -Xms"$heap" -cp "$broker/*" kafka.Kafka "$folder/server.properties"
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
format)
    fetch broker
    shift
    format "$@"
    ;;
run)
    fetch broker
    fetch logging
    exec java -Xmx"$heap" -Dorg.slf4j.simpleLogger.showDateTime=true \
        -cp "$broker/*:$cache/logging/*" kafka.Kafka "$2"
    ;;
*)
    sed -n '3,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'
    exit 2
    ;;
esac
