# SPDX-License-Identifier: Apache-2.0
# The cases of kafka-verifiable-producer and kafka-verifiable-consumer, in the manner of cases.sh.
# Topics have one partition, so that all is in one order.
B="--bootstrap-server $BOOTSTRAP"
P=kafka-verifiable-producer

verifiable_topic() {
    [ -z "${CASE_FILE:-}" ] || echo setup > "$CASE_FILE"
    $launcher "$(class_of kafka-topics)" $B --create --partitions 1 --topic "$@" > /dev/null
}

verifiable_topic count
run vproducer-plain $P $B --topic count --max-messages 3
run vproducer-keys $P $B --topic count --max-messages 5 --value-prefix 7 --repeating-keys 2
run vproducer-negative-keys $P $B --topic count --max-messages 2 --repeating-keys=-1 --value-prefix=-3
run vproducer-acks-0 $P $B --topic count --max-messages 2 --acks 0
run vproducer-acks-1 $P $B --topic count --max-messages 2 --acks 1 --message-create-time 1700000000000
run vproducer-throughput $P $B --topic count --max-messages 4 --throughput 20
run vproducer-none $P $B --topic count --max-messages 0
run vproducer-invalid-topic $P $B --topic a:b --max-messages 2
run vproducer-bad-acks $P $B --topic count --max-messages 2 --acks 5
run vproducer-bad-prefix $P $B --topic count --max-messages 2 --value-prefix x
run vproducer-no-topic $P $B --max-messages 2
run vproducer-unknown-flag $P $B --topic count --nosuch
verifiable_topic tight --config max.message.bytes=60
run vproducer-too-large $P $B --topic tight --max-messages 1

G="--topic count --group-id"
C=kafka-verifiable-consumer
run vconsumer-plain $C $B $G plain --max-messages 5
run vconsumer-goes-on $C $B $G plain --max-messages 3 --verbose
run vconsumer-consumer $C $B $G consumer --group-protocol consumer --max-messages 4
run vconsumer-autocommit $C $B $G auto --enable-autocommit --max-messages 4
run vconsumer-cooperative $C $B $G coop --max-messages 2 --verbose \
    --assignment-strategy org.apache.kafka.clients.consumer.CooperativeStickyAssignor
run vconsumer-static $C $B $G static --max-messages 2 --group-instance-id one --session-timeout 7000 \
    --assignment-strategy org.apache.kafka.clients.consumer.RoundRobinAssignor
run vconsumer-none $C $B $G none --max-messages 0
run vconsumer-bad-assignor $C $B $G bad --group-protocol consumer --group-remote-assignor nosuch
run vconsumer-bad-policy $C $B $G bad --reset-policy nosuch
run vconsumer-no-offset $C $B $G nowhere --reset-policy none
run vconsumer-session $C $B $G bad --group-protocol consumer --session-timeout 7000
run vconsumer-bad-protocol $C $B $G bad --group-protocol nosuch
run vconsumer-no-group $C $B --topic count
