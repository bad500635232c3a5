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
