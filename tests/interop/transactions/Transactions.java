// SPDX-License-Identifier: Apache-2.0
//
// Apache Kafka's own producer, which adds partitions to its transactions by writing to them and gets an
// epoch of its own for each (KIP-890). Transactions BOOTSTRAP TOPIC

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    static final int PARTITIONS = 3;
    static String bootstrap, topic;

    static void expect(boolean good, String words) {
        if (!good) {
            throw new AssertionError(words);
        }
    }

    static KafkaProducer<String, String> producer() {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("transactional.id", topic);
        p.put("max.block.ms", "20000");
        KafkaProducer<String, String> producer =
            new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    static KafkaConsumer<String, String> consumer(String isolation) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("group.id", topic);
        p.put("isolation.level", isolation);
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }

    static List<TopicPartition> partitions() {
        List<TopicPartition> all = new ArrayList<>();
        for (int i = 0; i < PARTITIONS; i++) {
            all.add(new TopicPartition(topic, i));
        }
        return all;
    }

    static List<String> read(String isolation) {
        List<String> found = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer(isolation)) {
            consumer.assign(partitions());
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions());
            consumer.seekToBeginning(partitions());
            while (!ends.entrySet().stream().allMatch(e -> consumer.position(e.getKey()) >= e.getValue())) {
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
                    found.add(r.value());
                }
            }
        }
        Collections.sort(found);
        return found;
    }

    static void awaitRead(List<String> wanted) throws Exception {
        Collections.sort(wanted);
        List<String> found = null;
        for (int i = 0; i < 100; i++) {
            found = read("read_committed");
            if (found.equals(wanted)) {
                return;
            }
            Thread.sleep(100);
        }
        throw new AssertionError(found + " instead of " + wanted);
    }

    static void write(KafkaProducer<String, String> producer, String name, int count) throws Exception {
        for (int i = 0; i < count; i++) {
            producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, name + i));
        }
        producer.flush();
    }

    static void add(List<String> wanted, String name, int count) {
        for (int i = 0; i < count; i++) {
            wanted.add(name + i);
        }
    }

    static void await(Admin admin, TransactionState state) throws Exception {
        for (int i = 0; i < 100; i++) {
            TransactionDescription found = admin.describeTransactions(Set.of(topic)).description(topic).get();
            if (found.state() == state) {
                return;
            }
            Thread.sleep(50);
        }
        throw new AssertionError("the transaction does not become " + state);
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        topic = args[1];
        List<String> wanted = new ArrayList<>();
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        try (Admin admin = Admin.create(p); KafkaConsumer<String, String> member = consumer("read_committed")) {
            admin.createTopics(Set.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
            KafkaProducer<String, String> producer = producer();
            for (int n = 0; n < 20; n++) {
                producer.beginTransaction();
                write(producer, "t" + n + "-", 12);
                if (n % 2 == 0) {
                    add(wanted, "t" + n + "-", 12);
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
            awaitRead(wanted);
            expect(read("read_uncommitted").size() == 240, "not everything is in the log");

            Map<TopicPartition, OffsetAndMetadata> offsets = new TreeMap<>((a, b) -> a.partition() - b.partition());
            offsets.put(new TopicPartition(topic, 0), new OffsetAndMetadata(7, "seven"));
            offsets.put(new TopicPartition(topic, 2), new OffsetAndMetadata(9));
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(offsets, member.groupMetadata());
            producer.commitTransaction();
            Map<TopicPartition, OffsetAndMetadata> committed = member.committed(Set.copyOf(partitions()));
            expect(committed.get(new TopicPartition(topic, 0)).offset() == 7, "offset " + committed);
            expect(committed.get(new TopicPartition(topic, 0)).metadata().equals("seven"), "words " + committed);
            producer.beginTransaction();
            offsets.put(new TopicPartition(topic, 0), new OffsetAndMetadata(100));
            producer.sendOffsetsToTransaction(offsets, member.groupMetadata());
            producer.abortTransaction();
            committed = member.committed(Set.copyOf(partitions()));
            expect(committed.get(new TopicPartition(topic, 0)).offset() == 7, "offset " + committed);

            producer.beginTransaction();
            write(producer, "fenced", 3);
            await(admin, TransactionState.ONGOING);
            expect(admin.describeProducers(partitions()).all().get().values().stream().allMatch(
                s -> s.activeProducers().stream().anyMatch(a -> a.currentTransactionStartOffset().isPresent())),
                "no open transaction is told");
            KafkaProducer<String, String> second = producer();
            try {
                write(producer, "late", 3);
                producer.commitTransaction();
                expect(false, "the first instance is not fenced");
            } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
                producer.close(Duration.ZERO);
            }
            second.beginTransaction();
            write(second, "second", 6);
            second.commitTransaction();
            second.close();
            add(wanted, "second", 6);
            awaitRead(wanted);
            await(admin, TransactionState.COMPLETE_COMMIT);
        }
        System.out.println("good");
    }
}
