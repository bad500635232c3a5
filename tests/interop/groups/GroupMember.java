// SPDX-License-Identifier: Apache-2.0
//
// A member of a consumer group with Apache Kafka's own client, which tells what happens to it as the
// other members do (README.md in this folder).
// GroupMember BOOTSTRAP GROUP TOPIC PROTOCOL ASSIGNOR INSTANCE

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

public class GroupMember {
    static volatile boolean stopping = false;

    static synchronized void tell(String event, String rest) {
        System.out.println("{\"event\": \"" + event + "\"" + rest + "}");
        System.out.flush();
    }

    static void tellPartitions(String event, Collection<TopicPartition> partitions) {
        tell(event, ", \"partitions\": [" + partitions.stream()
            .map(p -> String.valueOf(p.partition())).collect(Collectors.joining(", ")) + "]");
    }

    static class Listener implements ConsumerRebalanceListener {
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tellPartitions("assigned", partitions);
        }

        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tellPartitions("revoked", partitions);
        }
    }

    static Properties properties(String[] args) {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("group.id", args[1]);
        p.put("group.protocol", args[3]);
        if (args[3].equals("consumer")) {
            if (!args[4].equals("pattern")) {
                p.put("group.remote.assignor", args[4]);
            }
        } else {
            p.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer."
                + switch (args[4]) {
                    case "range" -> "RangeAssignor";
                    case "roundrobin" -> "RoundRobinAssignor";
                    case "sticky" -> "StickyAssignor";
                    case "cooperative-sticky" -> "CooperativeStickyAssignor";
                    default -> throw new IllegalArgumentException(args[4]);
                });
            p.put("heartbeat.interval.ms", "500");
            p.put("session.timeout.ms", "20000");
        }
        if (!args[5].isEmpty()) {
            p.put("group.instance.id", args[5]);
        }
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        return p;
    }

    static void consume(KafkaConsumer<byte[], byte[]> consumer) {
        while (!stopping) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
            for (TopicPartition p : records.partitions()) {
                List<ConsumerRecord<byte[], byte[]>> some = records.records(p);
                tell("records", ", \"partition\": " + p.partition() + ", \"first\": "
                    + some.get(0).offset() + ", \"last\": " + some.get(some.size() - 1).offset());
            }
            if (!records.isEmpty()) {
                consumer.commitSync();
            }
        }
    }

    public static void main(String[] args) throws Exception {
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties(args));
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopping = true;
            consumer.wakeup();
            try {
                main.join();
            } catch (InterruptedException e) {
                // It ends anyway.
            }
        }));
        if (args[4].equals("pattern")) {
            consumer.subscribe(new SubscriptionPattern(args[2].replace(".", "\\.") + "$"), new Listener());
        } else {
            consumer.subscribe(List.of(args[2]), new Listener());
        }
        try {
            consume(consumer);
        } catch (WakeupException e) {
            // To end.
        }
        consumer.close();
        tell("ended", "");
    }
}
