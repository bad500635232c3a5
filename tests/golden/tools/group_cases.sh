# SPDX-License-Identifier: Apache-2.0
# The cases of the tools for groups, in the manner of cases.sh. Topics and groups are made by
# group_setup: `live` and `live848` have a member each, the others nobody.
B="--bootstrap-server $BOOTSTRAP"

# Once per broker: topics with records, and the members, which stay until the broker goes.
group_members() {
    $launcher "$(class_of kafka-topics)" $B --create --topic orders --partitions 3
    $launcher "$(class_of kafka-topics)" $B --create --topic pay --partitions 1
    seq 1 40 | $launcher "$(class_of kafka-console-producer)" $B --topic orders
    seq 1 10 | $launcher "$(class_of kafka-console-producer)" $B --topic pay
    $launcher "$(class_of kafka-console-consumer)" $B --topic orders --from-beginning \
        --group live > /dev/null 2>&1 &
    $launcher "$(class_of kafka-console-consumer)" $B --topic orders --from-beginning \
        --group live848 --command-property group.protocol=consumer > /dev/null 2>&1 &
    sleep 25 # for the commits of five seconds, too
}

# Before each recording.
group_setup() {
    local group
    [ -z "${CASE_FILE:-}" ] || echo setup > "$CASE_FILE"
    for group in idle twin gone1 gone2; do
        $launcher "$(class_of kafka-consumer-groups)" $B --group $group --reset-offsets \
            --topic orders --topic pay --to-offset 5 --execute
    done
}

C=kafka-consumer-groups
if [ -n "${MEMBERS:-}" ]; then group_members; fi
run groups-list-empty $C $B --list --state dead
group_setup

run groups-no-action $C $B
run groups-no-bootstrap $C --list
run groups-two-actions $C $B --list --describe --group idle
run groups-unknown-flag $C $B --list --nosuch
run groups-regex $C $B --validate-regex 'orders-.*'
run groups-regex-bad $C $B --validate-regex 'orders('
run groups-regex-look-behind $C $B --validate-regex '(?<=a)b'
run groups-regex-reference $C $B --validate-regex '(a)\1'
run groups-list $C $B --list
run groups-list-state $C $B --list --state
run groups-list-state-filter $C $B --list --state Stable,empty
run groups-list-state-bad $C $B --list --state foo
run groups-list-type $C $B --list --type
run groups-list-type-filter $C $B --list --type Consumer
run groups-list-type-bad $C $B --list --type foo
run groups-list-type-state $C $B --list --type classic --state
run groups-describe-no-group $C $B --describe
run groups-describe-both $C $B --describe --group idle --all-groups
run groups-describe-two-views $C $B --describe --group idle --members --state
run groups-describe-missing $C $B --describe --group nosuch
run groups-describe-idle $C $B --describe --group idle
run groups-describe-live $C $B --describe --group live
run groups-describe-live848 $C $B --describe --group live848 --offsets
run groups-describe-verbose $C $B --describe --group live848 --verbose
run groups-describe-several $C $B --describe --group idle --group live
run groups-describe-all $C $B --describe --all-groups
run groups-members $C $B --describe --group live --members
run groups-members-verbose $C $B --describe --group live --members --verbose
run groups-members848 $C $B --describe --group live848 --members
run groups-members848-verbose $C $B --describe --group live848 --members --verbose
run groups-members-idle $C $B --describe --group idle --members
run groups-members-missing $C $B --describe --group nosuch --members
run groups-members-all $C $B --describe --all-groups --members
run groups-state $C $B --describe --group live --state
run groups-state-verbose $C $B --describe --group live --state --verbose
run groups-state848-verbose $C $B --describe --group live848 --state --verbose
run groups-state-idle $C $B --describe --group idle --state
run groups-state-missing $C $B --describe --group nosuch --state
run groups-state-all $C $B --describe --all-groups --state

printf 'orders,0,3\norders,1,99999\npay,0,2\n' > "$TMP/plan.csv"
printf 'idle,orders,0,3\ntwin,pay,0,2\n' > "$TMP/plan2.csv"
R="$B --reset-offsets --group idle"
run groups-reset-no-group $C $B --reset-offsets --to-earliest --all-topics
run groups-reset-no-scope $C $R --to-earliest
run groups-reset-both-scopes $C $R --to-earliest --all-topics --topic orders
run groups-reset-no-scenario $C $R --all-topics
run groups-reset-two-scenarios $C $R --all-topics --to-earliest --to-latest
run groups-reset-dry-execute $C $R --all-topics --to-earliest --dry-run --execute
run groups-reset-missing $C $B --reset-offsets --group nosuch --all-topics --to-earliest
run groups-reset-missing-topic $C $R --topic nosuch --to-earliest
run groups-reset-missing-partition $C $R --topic orders:7 --to-earliest
run groups-reset-bad-partition $C $R --topic orders:x --to-earliest
run groups-reset-live $C $B --reset-offsets --group live --topic orders --to-earliest --execute
run groups-reset-live848 $C $B --reset-offsets --group live848 --topic orders --to-earliest --execute
run groups-reset-default $C $R --topic pay --to-earliest
run groups-reset-earliest $C $R --all-topics --to-earliest --dry-run
run groups-reset-latest $C $R --topic pay --to-latest --dry-run
run groups-reset-offset $C $R --topic pay --to-offset 7 --dry-run
run groups-reset-offset-high $C $R --topic pay --to-offset 700 --dry-run
run groups-reset-shift $C $R --topic pay --shift-by -2 --dry-run
run groups-reset-shift-low $C $R --topic pay --shift-by -200 --dry-run
run groups-reset-datetime $C $R --topic pay --to-datetime 2020-01-01T00:00:00.000 --dry-run
run groups-reset-datetime-late $C $R --topic pay --to-datetime 2040-01-01T00:00:00.000+02:00 --dry-run
run groups-reset-datetime-bad $C $R --topic pay --to-datetime yesterday --dry-run
run groups-reset-duration $C $R --topic pay --by-duration P1DT2H --dry-run
run groups-reset-duration-bad $C $R --topic pay --by-duration 1d --dry-run
run groups-reset-current $C $R --topic pay --to-current --dry-run
run groups-reset-file $C $R --from-file $TMP/plan.csv --dry-run
run groups-reset-file-several $C $B --reset-offsets --group idle --group twin --from-file $TMP/plan2.csv --dry-run
run groups-reset-export $C $R --all-topics --to-current --export --dry-run
run groups-reset-export-several $C $B --reset-offsets --group idle --group twin --topic pay --to-current --export --dry-run
run groups-reset-several $C $B --reset-offsets --group idle --group twin --topic pay --to-current --dry-run
run groups-reset-execute $C $R --topic orders:0,2 --topic pay --to-offset 2 --execute
run groups-reset-after $C $B --describe --group idle

run groups-delete-offsets-no-topic $C $B --delete-offsets --group idle
run groups-delete-offsets-missing $C $B --delete-offsets --group nosuch --topic orders
run groups-delete-offsets-live $C $B --delete-offsets --group live --topic orders
run groups-delete-offsets $C $B --delete-offsets --group idle --topic orders:1 --topic pay
run groups-delete-offsets-no-such-topic $C $B --delete-offsets --group idle --topic nosuch
run groups-delete-offsets-after $C $B --describe --group idle
run groups-delete-no-group $C $B --delete
run groups-delete-topic $C $B --delete --group idle --topic orders
run groups-delete-missing $C $B --delete --group nosuch
run groups-delete-live $C $B --delete --group live
run groups-delete-some $C $B --delete --group gone1 --group live
run groups-delete $C $B --delete --group gone2 --group twin

G=kafka-groups
run all-groups-no-action $G $B
run all-groups-no-bootstrap $G --list
run all-groups-list $G $B --list
run all-groups-consumer $G $B --list --consumer
run all-groups-share $G $B --list --share
run all-groups-streams $G $B --list --streams
run all-groups-type $G $B --list --group-type classic
run all-groups-type-bad $G $B --list --group-type zzz
run all-groups-protocol $G $B --list --protocol consumer
run all-groups-protocol-none $G $B --list --protocol nosuch
run all-groups-two-filters $G $B --list --consumer --share

# Chitin's own commands: their transcripts are ours, the recorded answers are Apache Kafka's.
if [ -n "${CHITIN_BIN:-}" ]; then
    group_setup
    run own-list chitin group list -b $BOOTSTRAP
    run own-list-json chitin group list -b $BOOTSTRAP -o json --state Empty --type classic
    run own-describe-idle chitin group describe idle -b $BOOTSTRAP
    run own-describe-live chitin group describe live -b $BOOTSTRAP -o json
    run own-describe-live848 chitin group describe live848 -b $BOOTSTRAP
    run own-describe-two chitin group describe idle nosuch live -b $BOOTSTRAP
    run own-members chitin group members live live848 -b $BOOTSTRAP
    run own-members-json chitin group members live848 -b $BOOTSTRAP -o json
    run own-seek-start chitin group seek idle --to start -b $BOOTSTRAP --dry-run
    run own-seek-by chitin group seek idle --to -2 -t pay -t orders:2 -b $BOOTSTRAP -o json
    run own-seek-time chitin group seek idle --to @2020-01-01 -t pay -b $BOOTSTRAP
    run own-seek-group chitin group seek fresh --to group:idle -b $BOOTSTRAP
    run own-seek-live chitin group seek live --to end -b $BOOTSTRAP
    run own-seek-nothing chitin group seek nosuch --to end -b $BOOTSTRAP
    run own-seek-partition chitin group seek idle --to end -t pay:7 -b $BOOTSTRAP
    run own-seek-topic chitin group seek idle --to end -t nosuch -b $BOOTSTRAP
    run own-offset-delete chitin group offset-delete idle -t orders:1 -b $BOOTSTRAP
    run own-offset-delete-live chitin group offset-delete live -t orders -b $BOOTSTRAP
    run own-delete chitin group delete fresh gone1 -b $BOOTSTRAP
    run own-delete-live chitin group delete live -b $BOOTSTRAP
    run own-delete-missing chitin group delete nosuch -b $BOOTSTRAP
    run own-delete-if-exists chitin group delete nosuch --if-exists -b $BOOTSTRAP
    run own-explain chitin group explain idle -b $BOOTSTRAP
fi
