#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Records what Apache Kafka's own tools print, against an empty single-node broker (node id 1,
# num.partitions=4).
#
#   record.sh HOST:PORT TOOL-LAUNCHER [OUT]
#
# CASES=group_cases records those of consumer groups instead of cases.sh, CASES=streams_cases those of
# streams groups, CASES=verifiable_cases those of the tools that print what they do.
# TOOL-LAUNCHER CLASS ARGS... must run a class of Kafka's tools. With CHITIN_BIN=DIR the aliases in
# that folder run instead, so that the two recordings can be compared.
set -u
here=$(cd "$(dirname "$0")" && pwd)
BOOTSTRAP=$1 launcher=$2 out=${3:-$here} TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
mkdir -p "$out"
only=${ONLY:-.}

class_of() {
    case $1 in
    kafka-topics) echo org.apache.kafka.tools.TopicCommand ;;
    kafka-configs) echo "${CONFIG_CLASS:-org.apache.kafka.tools.ConfigCommand}" ;;
    kafka-console-producer) echo org.apache.kafka.tools.ConsoleProducer ;;
    kafka-console-consumer) echo org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    kafka-get-offsets) echo org.apache.kafka.tools.GetOffsetShell ;;
    kafka-delete-records) echo org.apache.kafka.tools.DeleteRecordsCommand ;;
    kafka-log-dirs) echo org.apache.kafka.tools.LogDirsCommand ;;
    kafka-broker-api-versions) echo org.apache.kafka.tools.BrokerApiVersionsCommand ;;
    kafka-cluster) echo org.apache.kafka.tools.ClusterTool ;;
    kafka-storage) echo kafka.tools.StorageTool ;;
    kafka-consumer-groups) echo org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    kafka-groups) echo org.apache.kafka.tools.GroupsCommand ;;
    kafka-verifiable-producer) echo org.apache.kafka.tools.VerifiableProducer ;;
    kafka-verifiable-consumer) echo org.apache.kafka.tools.VerifiableConsumer ;;
    kafka-streams-groups) echo org.apache.kafka.tools.streams.StreamsGroupCommand ;;
    esac
}

cat > "$TMP/delete.json" <<'J'
{"partitions":[{"topic":"conf","partition":0,"offset":-1},{"topic":"test","partition":0,"offset":1}],"version":1}
J
echo '{"partitions":[{"topic":"nosuch","partition":0,"offset":1}],"version":1}' > "$TMP/delete-missing.json"
echo '{"partitions":[{"topic":"conf"' > "$TMP/delete-bad.json"
echo '{"partitions":[{"topic":"assigned","partition":0,"offset":99}],"version":1}' > "$TMP/delete-range.json"
for i in '' 2 3; do
    printf 'process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://:19092,CONTROLLER://:19093\ncontroller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=localhost:19093\nlog.dirs=%s\n' \
        "$TMP/data$i" > "$TMP/storage$i.properties"
done
mkdir "$TMP/data" "$TMP/data2"

stdin=''
# The address of a coordinator, "HOST:PORT (1)", stays as it is: the width of its column comes from it.
run() {
    local name=$1 tool=$2
    shift 2
    [[ $name =~ $only ]] || return 0
    [ -z "${CASE_FILE:-}" ] || echo "$name" > "$CASE_FILE"
    if [ -n "${CHITIN_BIN:-}" ]; then
        printf '%s' "$stdin" | timeout 60 "$CHITIN_BIN/$tool" "$@" > "$TMP/out" 2> "$TMP/err"
    else
        printf '%s' "$stdin" | timeout 60 $launcher $(class_of "$tool") "$@" > "$TMP/out" 2> "$TMP/err"
    fi
    local status=$?
    {
        echo "$ $tool $*"
        echo "-- stdout"
        cat "$TMP/out"
        echo "-- stderr"
        cat "$TMP/err"
        echo "-- exit $status"
    } | sed -E "/ \(1\)/!s#$BOOTSTRAP#127.0.0.1:9092#g; s#$TMP#/tmp/x#g; /^SLF4J:/d; /^Option .*Description/,/^-- exit/{/^-- exit/!d}; /^\t(at |\.\.\. )/d;
        s#(TopicId: |Cluster ID: )[A-Za-z0-9_-]{22}#\\1ID#;
        s#(\"timestamp\":|\"avg_throughput\":)[0-9.E-]+#\\1N#g" > "$out/$name.txt"
}
. "$here/${CASES:-cases}.sh"
