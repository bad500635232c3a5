// SPDX-License-Identifier: Apache-2.0

// franz-go: transactions, a group that transforms exactly once, a second instance that fences the first.
// transactions BOOTSTRAP TOPIC
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var bootstrap, topic string

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newClient(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	check(err)
	return client
}

func newProducer() *kgo.Client {
	return newClient(kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

func values(name string, count int) []string {
	var all []string
	for i := 0; i < count; i++ {
		all = append(all, fmt.Sprint(name, i))
	}
	return all
}

func write(ctx context.Context, client *kgo.Client, to, name string, count int) error {
	var records []*kgo.Record
	for i, value := range values(name, count) {
		records = append(records, &kgo.Record{Topic: to, Value: []byte(value), Partition: int32(i % 3)})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// What a reader of committed records gets until it has as many as it should, and a second later.
func expectRead(ctx context.Context, from string, wanted []string) {
	client := newClient(kgo.ConsumeTopics(from), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer client.Close()
	var found []string
	for {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollFetches(wait)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) { found = append(found, string(r.Value)) })
		if len(found) >= len(wanted) && fetches.NumRecords() == 0 {
			break
		}
		check(ctx.Err())
	}
	sort.Strings(found)
	sort.Strings(wanted)
	if strings.Join(found, " ") != strings.Join(wanted, " ") {
		check(fmt.Errorf("%v instead of %v", found, wanted))
	}
}

// Reads, writes and commits its offsets in one transaction each.
func transform(ctx context.Context, count int) {
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(topic+"-t"),
		kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RequireStableFetchOffsets())
	check(err)
	defer session.Close()
	for done := 0; done < count; {
		fetches := session.PollFetches(ctx)
		check(ctx.Err())
		check(session.Begin())
		var records []*kgo.Record
		fetches.EachRecord(func(r *kgo.Record) {
			records = append(records, &kgo.Record{Topic: topic + "-out", Value: r.Value})
		})
		check(session.ProduceSync(ctx, records...).FirstErr())
		committed, err := session.End(ctx, kgo.TryCommit)
		check(err)
		if committed {
			done += len(records)
		}
	}
}

func main() {
	bootstrap, topic = os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin := kadm.NewClient(newClient())
	for _, name := range []string{topic, topic + "-out"} {
		_, err := admin.CreateTopics(ctx, 3, 1, nil, name)
		check(err)
	}
	var wanted []string
	producer := newProducer()
	for n := 0; n < 10; n++ {
		name, commits := fmt.Sprint("t", n, "-"), n%2 == 0
		check(producer.BeginTransaction())
		check(write(ctx, producer, topic, name, 12))
		check(producer.EndTransaction(ctx, kgo.TransactionEndTry(commits)))
		if commits {
			wanted = append(wanted, values(name, 12)...)
		}
	}
	expectRead(ctx, topic, wanted)
	transform(ctx, len(wanted))
	expectRead(ctx, topic+"-out", wanted)

	check(producer.BeginTransaction())
	check(write(ctx, producer, topic, "fenced", 3))
	second := newProducer()
	// While the first one's transaction is being aborted, franz-go leaves it to us to try again.
	for err := second.BeginTransaction(); err != nil; err = second.BeginTransaction() {
		check(ctx.Err())
		time.Sleep(50 * time.Millisecond)
	}
	check(write(ctx, second, topic, "second", 6))
	err := producer.EndTransaction(ctx, kgo.TryCommit)
	if !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
		check(fmt.Errorf("the first instance is not fenced: %v", err))
	}
	check(second.EndTransaction(ctx, kgo.TryCommit))
	expectRead(ctx, topic, append(wanted, values("second", 6)...))
	fmt.Println("good")
}
