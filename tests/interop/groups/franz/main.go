// SPDX-License-Identifier: Apache-2.0

// A member of a consumer group with franz-go:
// member BOOTSTRAP GROUP TOPIC PROTOCOL ASSIGNOR INSTANCE [SESSION-MS [CLIENT-ID]]
// (README.md in the folder above). KIP-848 needs the newest franz-go and -tags newest.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"
)

var out sync.Mutex

// Seconds on the clock that all members share; Go's own monotonic clock begins with the process.
func monotonic() float64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return float64(now.Sec) + float64(now.Nsec)/1e9
}

func tell(event map[string]any) {
	out.Lock()
	defer out.Unlock()
	event["t"] = monotonic()
	line, _ := json.Marshal(event)
	fmt.Println(string(line))
}

func tellPartitions(event string) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		for _, partitions := range topics {
			tell(map[string]any{"event": event, "partitions": partitions})
		}
	}
}

func balancer(name string) kgo.GroupBalancer {
	switch name {
	case "range":
		return kgo.RangeBalancer()
	case "roundrobin":
		return kgo.RoundRobinBalancer()
	case "sticky":
		return kgo.StickyBalancer()
	}
	return kgo.CooperativeStickyBalancer()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// One round: false when it is time to end.
func consume(ctx context.Context, client *kgo.Client) bool {
	fetches := client.PollFetches(ctx)
	if ctx.Err() != nil {
		return false
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			tell(map[string]any{"event": "records", "partition": p.Partition,
				"first": p.Records[0].Offset, "last": p.Records[n-1].Offset})
		}
	})
	if records := fetches.Records(); len(records) > 0 {
		// An error is no end: the group moved on, or the broker is away; it is read again then.
		_ = client.CommitRecords(context.Background(), records...)
	}
	client.AllowRebalance()
	return true
}

// The argument of this number, if it is there.
func argument(i int, otherwise string) string {
	if i < len(os.Args) {
		return os.Args[i]
	}
	return otherwise
}

func main() {
	bootstrap, group, topic, protocol := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	sessionMs, err := strconv.Atoi(argument(7, "20000"))
	check(err)
	options := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.HeartbeatInterval(500 * time.Millisecond), kgo.SessionTimeout(time.Duration(sessionMs) * time.Millisecond),
		kgo.ClientID(argument(8, "interop")),
		kgo.Balancers(balancer(os.Args[5])), kgo.OnPartitionsAssigned(tellPartitions("assigned")),
		kgo.OnPartitionsRevoked(tellPartitions("revoked")),
		kgo.OnPartitionsLost(tellPartitions("revoked"))}
	if protocol == "consumer" {
		options = append(options, consumerProtocol()...)
	}
	if instance := os.Args[6]; instance != "" {
		options = append(options, kgo.InstanceID(instance))
	}
	client, err := kgo.NewClient(options...)
	check(err)
	for consume(ctx, client) {
	}
	client.CloseAllowingRebalance()
	tell(map[string]any{"event": "ended"})
}
