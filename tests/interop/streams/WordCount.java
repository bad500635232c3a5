// SPDX-License-Identifier: Apache-2.0
//
// One instance of Apache Kafka Streams that counts words, and tells what happens to it on stdout, an
// object a line (README.md in this folder). It closes on SIGTERM.
// WordCount BOOTSTRAP APPLICATION INPUT OUTPUT STATE_FOLDER KEY=VALUE...

import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TaskMetadata;
import org.apache.kafka.streams.ThreadMetadata;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public class WordCount {
    static final long LOOK_MS = 100;
    static final Duration CLOSE_WITHIN = Duration.ofSeconds(20);

    static synchronized void tell(String event, String rest) {
        System.out.println("{\"event\": \"" + event + "\"" + rest + "}");
        System.out.flush();
    }

    static String list(Collection<String> names) {
        return names.stream().map(n -> "\"" + n + "\"").collect(Collectors.joining(", ", "[", "]"));
    }

    // A repartition topic between the two halves, and a changelog of the counts.
    static Topology topology(String input, String output) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(input)
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"))
            .count(Materialized.as("counts"))
            .toStream()
            .to(output, Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    static Properties settings(String bootstrap, String application, String folder, String[] more) {
        Properties p = new Properties();
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        p.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        p.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        for (String setting : more) {
            String[] parts = setting.split("=", 2);
            p.put(parts[0], parts[1]);
        }
        return p;
    }

    static String tasks(KafkaStreams streams) {
        TreeSet<String> active = new TreeSet<>(), standby = new TreeSet<>();
        for (ThreadMetadata thread : streams.metadataForLocalThreads()) {
            for (TaskMetadata task : thread.activeTasks())
                active.add(task.taskId().toString());
            for (TaskMetadata task : thread.standbyTasks())
                standby.add(task.taskId().toString());
        }
        return ", \"active\": " + list(active) + ", \"standby\": " + list(standby);
    }

    public static void main(String[] args) throws InterruptedException {
        Topology topology = topology(args[2], args[3]);
        String[] more = Arrays.copyOfRange(args, 5, args.length);
        KafkaStreams streams = new KafkaStreams(topology, settings(args[0], args[1], args[4], more));
        CountDownLatch stop = new CountDownLatch(1), ended = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (stop.getCount() > 0) // what comes after "ended" would confuse
                tell("state", ", \"state\": \"" + now + "\"");
        });
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            tell("failed", ", \"class\": \"" + e.getClass().getName() + "\"");
            stop.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stop.countDown();
            try {
                ended.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        streams.start();
        String last = "";
        while (!stop.await(LOOK_MS, TimeUnit.MILLISECONDS)) {
            String now = tasks(streams);
            if (!now.equals(last))
                tell("tasks", now);
            last = now;
        }
        boolean closed = streams.close(CLOSE_WITHIN);
        tell(closed ? "ended" : "stuck", "");
        ended.countDown();
    }
}
