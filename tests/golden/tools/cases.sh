# SPDX-License-Identifier: Apache-2.0
# The cases of the tools' transcripts: `run NAME TOOL ARGS...` runs a tool and keeps command line,
# both streams and exit status in NAME.txt. Sourced by record.sh, which says what a tool is.
# Topics are made in this order on an empty broker; nothing here depends on time.
B="--bootstrap-server $BOOTSTRAP"

run topics-usage kafka-topics
run topics-help kafka-topics --help
run topics-version kafka-topics --version
run topics-list-empty kafka-topics $B --list
run topics-create kafka-topics $B --create --topic test --partitions 1 --replication-factor 1
run topics-create-exists kafka-topics $B --create --topic test
run topics-create-if-not-exists kafka-topics $B --create --topic test --if-not-exists
run topics-create-dots kafka-topics $B --create --topic a.b_c --partitions 3
run topics-create-bad-name kafka-topics $B --create --topic 'bad name'
run topics-create-bad-rf kafka-topics $B --create --topic rf3 --replication-factor 3
run topics-create-bad-config kafka-topics $B --create --topic cfg --config no.such.config=1
run topics-create-bad-config-syntax kafka-topics $B --create --topic cfg --config nosuch
run topics-create-bad-partitions kafka-topics $B --create --topic cfg --partitions 0
run topics-create-config kafka-topics $B --create --topic conf --partitions 2 --config retention.ms=60000 --config cleanup.policy=compact
run topics-create-assignment kafka-topics $B --create --topic assigned --replica-assignment 1,1
run topics-create-assignment-bad kafka-topics $B --create --topic assigned2 --replica-assignment 1:1,1
run topics-create-assignment-partitions kafka-topics $B --create --topic assigned3 --replica-assignment 1 --partitions 1
run topics-list kafka-topics $B --list
run topics-list-topic kafka-topics $B --list --topic 'a.*'
run topics-list-internal kafka-topics $B --list --exclude-internal
run topics-list-missing kafka-topics $B --list --topic nosuch
run topics-describe kafka-topics $B --describe
run topics-describe-topic kafka-topics $B --describe --topic conf
run topics-describe-missing kafka-topics $B --describe --topic nosuch
run topics-describe-missing-if-exists kafka-topics $B --describe --topic nosuch --if-exists
run topics-describe-overrides kafka-topics $B --describe --topics-with-overrides
run topics-describe-under-replicated kafka-topics $B --describe --under-replicated-partitions
run topics-describe-unavailable kafka-topics $B --describe --unavailable-partitions
run topics-describe-at-min-isr kafka-topics $B --describe --at-min-isr-partitions
run topics-describe-bad-id kafka-topics $B --describe --topic-id zzz
run topics-alter kafka-topics $B --alter --topic test --partitions 4
run topics-alter-fewer kafka-topics $B --alter --topic test --partitions 2
run topics-alter-missing kafka-topics $B --alter --topic nosuch --partitions 2
run topics-alter-no-partitions kafka-topics $B --alter --topic test
run topics-alter-config kafka-topics $B --alter --topic test --config retention.ms=1
run topics-two-actions kafka-topics $B --list --describe
run topics-no-bootstrap kafka-topics --list
run topics-unknown-flag kafka-topics $B --list --nosuchflag
run topics-missing-argument kafka-topics $B --describe --topic
run topics-zookeeper kafka-topics --zookeeper localhost:2181 --list
run topics-create-no-topic kafka-topics $B --create
run topics-describe-after kafka-topics $B --describe --topic test
stdin='one
two
three
'
run producer-plain kafka-console-producer $B --topic test
stdin='k1	v1
k2	v2
'
run producer-key kafka-console-producer $B --topic conf --property parse.key=true
stdin='h1:a,h2:b	k3	v3
'
run producer-headers kafka-console-producer $B --topic conf --reader-property parse.key=true --reader-property parse.headers=true
stdin='nokey
'
run producer-no-key kafka-console-producer $B --topic conf --reader-property parse.key=true
stdin='k1	NULL
'
run producer-null kafka-console-producer $B --topic conf --reader-property parse.key=true --reader-property null.marker=NULL
stdin=''
run producer-usage kafka-console-producer
run producer-no-topic kafka-console-producer $B
run producer-unknown-flag kafka-console-producer $B --topic t --nosuch
run consumer-usage kafka-console-consumer
run consumer-no-topic kafka-console-consumer $B
run consumer-max kafka-console-consumer $B --topic test --from-beginning --max-messages 3
run consumer-timeout kafka-console-consumer $B --topic test --from-beginning --timeout-ms 4000
run consumer-partition kafka-console-consumer $B --topic conf --partition 0 --offset earliest --timeout-ms 4000 --property print.key=true --property print.partition=true --property print.offset=true --property print.headers=true --formatter-property print.epoch=true
run consumer-partition1 kafka-console-consumer $B --topic conf --partition 1 --offset earliest --timeout-ms 4000 --formatter-property print.key=true --formatter-property print.partition=true --formatter-property print.offset=true --formatter-property print.headers=true --formatter-property key.separator=@ --formatter-property headers.separator=';' --formatter-property null.literal=NIL
run consumer-offset-no-partition kafka-console-consumer $B --topic conf --offset 1
run consumer-bad-offset kafka-console-consumer $B --topic conf --partition 0 --offset zero
run consumer-both-offset kafka-console-consumer $B --topic conf --partition 0 --offset 1 --from-beginning
run consumer-missing-topic kafka-console-consumer $B --topic nosuch-x --timeout-ms 2000 --from-beginning
run offsets-all kafka-get-offsets $B
run offsets-topic kafka-get-offsets $B --topic conf
run offsets-partitions kafka-get-offsets $B --topic test --partitions 0,2
run offsets-earliest kafka-get-offsets $B --topic test --time earliest
run offsets-max kafka-get-offsets $B --topic assigned --time max-timestamp
run offsets-ts kafka-get-offsets $B --topic assigned --time 1
run offsets-pairs kafka-get-offsets $B --topic-partitions conf:0,test:1-,assigned
run offsets-missing kafka-get-offsets $B --topic nosuch
run offsets-bad-time kafka-get-offsets $B --time zzz
run offsets-bad-partition kafka-get-offsets $B --topic test --partitions x
run offsets-both kafka-get-offsets $B --topic test --topic-partitions test:0
run configs-usage kafka-configs
run configs-alter kafka-configs $B --alter --entity-type topics --entity-name conf --add-config max.message.bytes=200000,retention.ms=70000
run configs-describe kafka-configs $B --describe --entity-type topics --entity-name conf
run configs-describe-short kafka-configs $B --describe --topic conf
run configs-describe-all-topics kafka-configs $B --describe --entity-type topics
run configs-describe-all kafka-configs $B --describe --topic conf --all
run configs-describe-none kafka-configs $B --describe --topic test
run configs-describe-missing kafka-configs $B --describe --topic nosuch
run configs-delete kafka-configs $B --alter --topic conf --delete-config retention.ms
run configs-delete-unset kafka-configs $B --alter --topic conf --delete-config segment.bytes
run configs-bad kafka-configs $B --alter --topic conf --add-config no.such=1
run configs-bad-value kafka-configs $B --alter --topic conf --add-config retention.ms=abc
run configs-list-value kafka-configs $B --alter --topic conf --add-config 'cleanup.policy=[compact,delete]'
run configs-alter-missing kafka-configs $B --alter --topic nosuch --add-config retention.ms=1
run configs-broker-describe kafka-configs $B --describe --broker 1
run configs-broker-alter kafka-configs $B --alter --broker 1 --add-config log.cleaner.threads=2
run configs-broker-default-alter kafka-configs $B --alter --broker-defaults --add-config log.cleaner.threads=2
run configs-broker-describe-after kafka-configs $B --describe --broker 1
run configs-broker-default-describe kafka-configs $B --describe --broker-defaults
run configs-broker-all-describe kafka-configs $B --describe --entity-type brokers
run configs-no-action kafka-configs $B --entity-type topics
run configs-bad-type kafka-configs $B --describe --entity-type zzz
run configs-alter-nothing kafka-configs $B --alter --topic conf
run delete-records kafka-delete-records $B --offset-json-file $TMP/delete.json
run delete-records-missing kafka-delete-records $B --offset-json-file $TMP/delete-missing.json
run delete-records-bad kafka-delete-records $B --offset-json-file $TMP/delete-bad.json
run delete-records-range kafka-delete-records $B --offset-json-file $TMP/delete-range.json
run log-dirs kafka-log-dirs $B --describe --topic-list conf,assigned
run log-dirs-broker kafka-log-dirs $B --describe --broker-list 1 --topic-list assigned
run log-dirs-bad-broker kafka-log-dirs $B --describe --broker-list 1,9
run log-dirs-no-describe kafka-log-dirs $B
run api-versions kafka-broker-api-versions $B
run cluster-id kafka-cluster cluster-id $B
run cluster-endpoints kafka-cluster list-endpoints $B
run cluster-usage kafka-cluster
run cluster-unregister kafka-cluster unregister $B --id 77
run topics-delete kafka-topics $B --delete --topic a.b_c
run topics-delete-missing kafka-topics $B --delete --topic nosuch
run topics-delete-missing-if-exists kafka-topics $B --delete --topic nosuch --if-exists
run storage-usage kafka-storage
run storage-random-uuid kafka-storage random-uuid
run storage-format kafka-storage format -t AAAAAAAAAAAAAAAAAAAAAQ -c $TMP/storage.properties --standalone
run storage-format-again kafka-storage format -t AAAAAAAAAAAAAAAAAAAAAQ -c $TMP/storage.properties --standalone
run storage-format-ignore kafka-storage format -t AAAAAAAAAAAAAAAAAAAAAQ -c $TMP/storage.properties --standalone --ignore-formatted
run storage-info kafka-storage info -c $TMP/storage.properties
run storage-info-empty kafka-storage info -c $TMP/storage2.properties
run storage-info-missing kafka-storage info -c $TMP/storage3.properties
run storage-format-no-mode kafka-storage format -t AAAAAAAAAAAAAAAAAAAAAQ -c $TMP/storage2.properties
run storage-format-no-id kafka-storage format -c $TMP/storage2.properties
run storage-format-bad-id kafka-storage format -t zzz -c $TMP/storage2.properties --standalone
run storage-format-release kafka-storage format -t AAAAAAAAAAAAAAAAAAAAAQ -c $TMP/storage2.properties --standalone -r 4.0
run storage-version-mapping kafka-storage version-mapping
run storage-version-mapping-40 kafka-storage version-mapping -r 4.0
run storage-feature-dependencies kafka-storage feature-dependencies -f metadata.version=25
