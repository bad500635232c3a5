# SPDX-License-Identifier: Apache-2.0
# Cases of the console consumer as a member of a group, read by record.sh (CASES=console_cases).
B="--bootstrap-server $BOOTSTRAP"
C="kafka-console-consumer $B --topic console"

run console-create kafka-topics $B --create --topic console --partitions 1
stdin=$'a\nb\nc\nd\ne\n'
run console-produce kafka-console-producer $B --topic console
stdin=''
run console-group kafka-console-consumer $B --topic console --group cg --from-beginning --max-messages 3
run console-group-goes-on $C --group cg --from-beginning --max-messages 1
run console-group-848 $C --group cg8 --from-beginning --max-messages 3 --consumer-property group.protocol=consumer
run console-group-848-goes-on $C --max-messages 2 --command-property group.protocol=consumer --command-property group.id=cg8
run console-group-no-commit $C --group cn --from-beginning --max-messages 2 --command-property enable.auto.commit=false
run console-group-no-commit-again $C --group cn --from-beginning --max-messages 2
run console-include kafka-console-consumer $B --include 'cons.*' --from-beginning --max-messages 5
run console-include-group kafka-console-consumer $B --include 'cons.*' --group ci --from-beginning --max-messages 5
run console-assignor $C --group ca --from-beginning --max-messages 1 --command-property partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor
run console-duration $C --group cd --max-messages 2 --command-property auto.offset.reset=by_duration:PT1H
run console-timeout $C --group ct --from-beginning --timeout-ms 9000
run console-group-describe kafka-consumer-groups $B --describe --group cg
run console-reset-none $C --group cr --timeout-ms 9000 --command-property auto.offset.reset=none
run console-reset-bad $C --group cr --timeout-ms 9000 --command-property auto.offset.reset=middle
run console-reset-bad-duration $C --group cr --timeout-ms 9000 --command-property auto.offset.reset=by_duration:1h
run console-reset-conflict $C --from-beginning --command-property auto.offset.reset=latest --timeout-ms 9000
run console-group-partition $C --group g --partition 0 --timeout-ms 4000
run console-group-twice $C --group g --command-property group.id=h --timeout-ms 4000
run console-two-properties $C --command-property a=b --consumer-property c=d --timeout-ms 4000
run console-two-configs $C --command-config /dev/null --consumer.config /dev/null --timeout-ms 4000
run console-protocol-bad $C --group g --command-property group.protocol=modern --timeout-ms 4000
run console-protocol-session $C --group g --command-property group.protocol=consumer --command-property session.timeout.ms=6000 --timeout-ms 4000
run console-protocol-assignor $C --group g --command-property group.remote.assignor=range --timeout-ms 4000
run console-remote-assignor-bad $C --group g --command-property group.protocol=consumer --command-property group.remote.assignor=best --timeout-ms 9000
run console-session-bad $C --group g --command-property session.timeout.ms=10 --timeout-ms 9000
run console-include-bad kafka-console-consumer $B --include 'cons(' --timeout-ms 4000
run console-topic-include kafka-console-consumer $B --include 'c.*' --topic console --timeout-ms 4000
