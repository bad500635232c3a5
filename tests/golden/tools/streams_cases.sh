# SPDX-License-Identifier: Apache-2.0
# The cases of the tool for streams groups, in the manner of cases.sh. With WORD_COUNT, a command that runs
# tests/interop/streams/WordCount.java, the groups are made first: `live` has two members, which stay until
# the caller ends them, the others nobody.
B="--bootstrap-server $BOOTSTRAP"

instance() { # GROUP NAME
    $WORD_COUNT "$BOOTSTRAP" "$1" lines counts "$TMP/state-$2" group.protocol=streams "client.id=$2" \
        > "$TMP/$2.log" 2>&1 &
}

streams_members() {
    local group
    [ -z "${CASE_FILE:-}" ] || echo setup > "$CASE_FILE"
    $launcher "$(class_of kafka-topics)" $B --create --topic lines --partitions 3
    $launcher "$(class_of kafka-topics)" $B --create --topic counts --partitions 1
    seq 1 40 | $launcher "$(class_of kafka-console-producer)" $B --topic lines
    $launcher "$(class_of kafka-configs)" $B --alter --entity-type groups --entity-name live \
        --add-config streams.num.standby.replicas=1
    for group in idle twin gone1 gone2 gone3; do
        instance $group $group
        sleep 12
        kill $!
        wait $!
    done
    instance live live-a
    instance live live-b
    sleep 25
}

S=kafka-streams-groups
if [ -n "${MEMBERS:-}" ]; then
    run streams-list-empty $S $B --list
    run streams-list-state-empty $S $B --list --state
    streams_members
fi

run streams-no-action $S $B
run streams-no-bootstrap $S --list
run streams-two-actions $S $B --list --describe --group idle
run streams-unknown-flag $S $B --list --nosuch
run streams-list $S $B --list
run streams-list-state $S $B --list --state
run streams-list-state-filter $S $B --list --state Stable,reconciling
run streams-list-state-bad $S $B --list --state foo
run streams-list-state-dead $S $B --list --state dead
run streams-list-group $S $B --list --group live
run streams-describe-no-group $S $B --describe
run streams-describe-both $S $B --describe --group idle --all-groups
run streams-describe-two-views $S $B --describe --group idle --members --state
run streams-describe-state-value $S $B --describe --group idle --state Empty
run streams-describe-missing $S $B --describe --group nosuch
run streams-describe-idle $S $B --describe --group idle
run streams-describe-live $S $B --describe --group live
run streams-describe-verbose $S $B --describe --group live --verbose
run streams-describe-several $S $B --describe --group idle --group live
run streams-describe-all $S $B --describe --all-groups --offsets
run streams-members $S $B --describe --group live --members
run streams-members-verbose $S $B --describe --group live --members --verbose
run streams-members-idle $S $B --describe --group idle --members
run streams-members-missing $S $B --describe --group nosuch --members
run streams-members-all $S $B --describe --all-groups --members
run streams-members-no-describe $S $B --members
run streams-state $S $B --describe --group live --state
run streams-state-verbose $S $B --describe --group live --state --verbose
run streams-state-idle $S $B --describe --group idle --state
run streams-state-missing $S $B --describe --group nosuch --state
run streams-state-all $S $B --describe --all-groups --state

printf 'lines,0,3\nlines,1,99999\n' > "$TMP/plan.csv"
printf 'idle,lines,0,3\ntwin,lines,0,2\n' > "$TMP/plan2.csv"
R="$B --reset-offsets --group idle"
run streams-reset-no-group $S $B --reset-offsets --to-earliest --all-input-topics --dry-run
run streams-reset-no-scope $S $R --to-earliest --dry-run
run streams-reset-no-scenario $S $R --all-input-topics --dry-run
run streams-reset-two-scenarios $S $R --all-input-topics --to-earliest --to-latest --dry-run
run streams-reset-dry-execute $S $R --all-input-topics --to-earliest --dry-run --execute
run streams-reset-neither $S $R --all-input-topics --to-earliest
run streams-reset-missing $S $B --reset-offsets --group nosuch --all-input-topics --to-earliest --dry-run
run streams-reset-missing-topic $S $R --input-topic nosuch --to-earliest --dry-run
run streams-reset-other-topic $S $R --input-topic counts --to-earliest --dry-run
run streams-reset-missing-partition $S $R --input-topic lines:7 --to-earliest --dry-run
run streams-reset-bad-partition $S $R --input-topic lines:x --to-earliest --dry-run
run streams-reset-live $S $B --reset-offsets --group live --all-input-topics --to-earliest --execute
run streams-reset-earliest $S $R --all-input-topics --to-earliest --dry-run
run streams-reset-latest $S $R --all-input-topics --to-latest --dry-run
run streams-reset-offset $S $R --input-topic lines:0 --to-offset 7 --dry-run
run streams-reset-offset-high $S $R --input-topic lines:0 --to-offset 700 --dry-run
run streams-reset-shift $S $R --all-input-topics --shift-by -2 --dry-run
run streams-reset-shift-low $S $R --all-input-topics --shift-by -200 --dry-run
run streams-reset-datetime $S $R --all-input-topics --to-datetime 2020-01-01T00:00:00.000 --dry-run
run streams-reset-datetime-late $S $R --all-input-topics --to-datetime 2040-01-01T00:00:00.000+02:00 --dry-run
run streams-reset-datetime-bad $S $R --all-input-topics --to-datetime yesterday --dry-run
run streams-reset-duration $S $R --all-input-topics --by-duration P1DT2H --dry-run
run streams-reset-duration-bad $S $R --all-input-topics --by-duration 1d --dry-run
run streams-reset-current $S $R --all-input-topics --to-current --dry-run
run streams-reset-file $S $R --from-file $TMP/plan.csv --dry-run
run streams-reset-file-several $S $B --reset-offsets --group idle --group twin --from-file $TMP/plan2.csv --dry-run
run streams-reset-export $S $R --all-input-topics --to-current --export --dry-run
run streams-reset-export-several $S $B --reset-offsets --group idle --group twin --all-input-topics --to-current --export --dry-run
run streams-reset-several $S $B --reset-offsets --group idle --group twin --all-input-topics --to-current --dry-run
run streams-reset-all $S $B --reset-offsets --all-groups --all-input-topics --to-current --dry-run
run streams-reset-execute $S $R --input-topic lines:0 --to-offset 2 --execute
run streams-reset-topics-dry $S $R --all-input-topics --to-earliest --dry-run --delete-all-internal-topics
run streams-reset-topics $S $R --all-input-topics --to-earliest --execute --delete-all-internal-topics
run streams-reset-topics-again $S $R --all-input-topics --to-earliest --execute --delete-internal-topic idle-words-repartition
run streams-reset-topic $S $B --reset-offsets --group twin --all-input-topics --to-earliest --execute --delete-internal-topic twin-words-repartition

run streams-delete-offsets-no-topic $S $B --delete-offsets --group idle
run streams-delete-offsets-no-group $S $B --delete-offsets --input-topic lines
run streams-delete-offsets-two-groups $S $B --delete-offsets --group idle --group twin --input-topic lines
run streams-delete-offsets-missing $S $B --delete-offsets --group nosuch --input-topic lines
run streams-delete-offsets-live $S $B --delete-offsets --group live --input-topic lines
run streams-delete-offsets $S $B --delete-offsets --group idle --input-topic lines:0
run streams-delete-offsets-no-such-topic $S $B --delete-offsets --group idle --input-topic nosuch
run streams-delete-offsets-all $S $B --delete-offsets --group twin --all-input-topics
run streams-delete-no-group $S $B --delete
run streams-delete-topic $S $B --delete --group idle --input-topic lines
run streams-delete-missing $S $B --delete --group nosuch
run streams-delete-live $S $B --delete --group live
run streams-delete-some $S $B --delete --group gone1 --group live
run streams-delete-topics $S $B --delete --group gone2 --delete-all-internal-topics
run streams-delete $S $B --delete --group gone3 --group twin

# What the other commands say of streams groups.
run streams-in-groups-list kafka-groups $B --list
run streams-in-groups-filter kafka-groups $B --list --streams
run streams-in-consumer-groups-list kafka-consumer-groups $B --list
run streams-in-consumer-groups-describe kafka-consumer-groups $B --describe --group live
