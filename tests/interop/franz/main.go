// SPDX-License-Identifier: Apache-2.0

// franz-go: create, produce with every codec, consume, seek by time, delete.
// franz BOOTSTRAP TOPIC
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func expect(good bool, format string, args ...any) {
	if !good {
		check(fmt.Errorf(format, args...))
	}
}

func produce(ctx context.Context, bootstrap, topic string, codec kgo.CompressionCodec) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	check(err)
	defer client.Close()
	var records []*kgo.Record
	for i := 0; i < 300; i++ {
		records = append(records, &kgo.Record{
			Key:       []byte(fmt.Sprint(i)),
			Value:     []byte(fmt.Sprint("value ", i)),
			Partition: int32(i % 3),
			Headers:   []kgo.RecordHeader{{Key: "h", Value: []byte("1")}},
		})
	}
	check(client.ProduceSync(ctx, records...).FirstErr())
}

func consume(ctx context.Context, bootstrap, topic string, count int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	check(err)
	defer client.Close()
	next := map[int32]int64{}
	for got := 0; got < count; {
		fetches := client.PollFetches(ctx)
		for _, failure := range fetches.Errors() {
			check(failure.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			expect(r.Offset == next[r.Partition], "offset %d after %d", r.Offset, next[r.Partition])
			expect(len(r.Headers) == 1 && string(r.Headers[0].Value) == "1", "headers %v", r.Headers)
			next[r.Partition]++
			got++
		})
	}
}

func main() {
	bootstrap, topic := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	check(err)
	defer client.Close()
	admin := kadm.NewClient(client)
	created, err := admin.CreateTopics(ctx, 3, 1, nil, topic)
	check(err)
	check(created[topic].Err)

	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(),
		kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for _, codec := range codecs {
		produce(ctx, bootstrap, topic, codec)
	}
	consume(ctx, bootstrap, topic, 300*len(codecs))

	ends, err := admin.ListEndOffsets(ctx, topic)
	check(err)
	ends.Each(func(o kadm.ListedOffset) { expect(o.Offset == 500, "end offset %d", o.Offset) })
	after, err := admin.ListOffsetsAfterMilli(ctx, 1, topic)
	check(err)
	after.Each(func(o kadm.ListedOffset) { expect(o.Offset == 0, "offset %d", o.Offset) })
	deleted, err := admin.DeleteRecords(ctx, kadm.Offsets{topic: {0: {Topic: topic, At: 10}}})
	check(err)
	deleted.Each(func(r kadm.DeleteRecordsResponse) { check(r.Err) })
	starts, err := admin.ListStartOffsets(ctx, topic)
	check(err)
	low, _ := starts.Lookup(topic, 0)
	expect(low.Offset == 10, "start offset %d", low.Offset)
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	check(err)
	expect(len(configs[0].Configs) >= 37, "%d configs", len(configs[0].Configs))
	_, err = admin.DeleteTopics(ctx, topic)
	check(err)
	fmt.Println("good")
}
