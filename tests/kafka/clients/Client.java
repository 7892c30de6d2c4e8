// Apache Kafka's own client: produces, consumes as a group that goes on where it was, and administers.
//
//   java -cp 'libs/*' Client.java 127.0.0.1:19092 [embedded]

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicDeletionDisabledException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

final class Client {
    static final int COUNT = 200;
    static final Duration PATIENCE = Duration.ofSeconds(60);
    static final String TOPIC = "java-" + UUID.randomUUID();
    static final String GROUP = "java-" + UUID.randomUUID();
    static String address;

    public static void main(String[] args) throws Exception {
        address = args[0];
        try (var admin = Admin.create(Map.<String, Object>of("bootstrap.servers", address))) {
            prepare(admin);
            var first = IntStream.range(0, COUNT).mapToObj(number -> "first-" + number).sorted().toList();
            produce(first, Map.of("compression.type", "gzip"));
            check(consume(COUNT, Map.of()).equals(first), "all records of the first time");
            produce(List.of("second"), Map.of());
            check(consume(1, Map.of("group.instance.id", "one")).equals(List.of("second")), "the group goes on");
            produce(List.of("third"), Map.of());
            var begun = System.nanoTime();
            check(consume(1, Map.of("group.instance.id", "one")).equals(List.of("third")), "a static member is back");
            check(System.nanoTime() - begun < 10_000_000_000L, "a static member does not wait for its former self");
            tooLarge();
            if (Arrays.asList(args).contains("embedded")) notHere(admin);
            finish(admin);
        }
        System.out.println("Java: ok");
    }

    private static void prepare(Admin admin) throws Exception {
        var checked = new NewTopic("only-checked", 1, (short) 1);
        admin.createTopics(List.of(checked), new CreateTopicsOptions().validateOnly(true)).all().get();
        check(!admin.listTopics().names().get().contains("only-checked"), "a topic that is only checked is not made");
        refused(admin.createTopics(List.of(new NewTopic("three-copies", 1, (short) 3))).all(), InvalidReplicationFactorException.class);
        admin.createTopics(List.of(new NewTopic(TOPIC, Optional.of(2), Optional.empty()))).all().get();
        admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(3))).all().get();
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
        var configs = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        check(configs.get("max.message.bytes").value().equals("1048588"), "the configuration of a topic");
        check(admin.describeCluster().nodes().get().size() == 1, "one node");
    }

    private static void finish(Admin admin) throws Exception {
        check(admin.listGroups().all().get().stream().anyMatch(group -> group.groupId().equals(GROUP)), "the group is listed");
        check(admin.describeConsumerGroups(List.of(GROUP)).all().get().get(GROUP) != null, "the group is described");
        var offsets = admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get();
        check(offsets.values().stream().mapToLong(one -> one.offset()).sum() == COUNT + 2, "the group's offsets");
        admin.deleteRecords(Map.of(new TopicPartition(TOPIC, 0), RecordsToDelete.beforeOffset(1))).all().get();
        if (!admin.describeConsumerGroups(List.of(GROUP)).all().get().get(GROUP).members().isEmpty()) {
            admin.removeMembersFromConsumerGroup(GROUP, new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions()).all().get();
        }
        admin.deleteConsumerGroups(List.of(GROUP)).all().get();
        admin.deleteTopics(List.of(TOPIC)).all().get();
    }

    /** What the embedded broker does not have is refused at once and for good. */
    private static void notHere(Admin admin) throws Exception {
        refused(admin.deleteTopics(List.of("orders.events")).all(), TopicDeletionDisabledException.class);
        var begun = System.nanoTime();
        try (var producer = producer(Map.of("transactional.id", "any"))) {
            producer.initTransactions();
            check(false, "there are no transactions");
        } catch (TransactionalIdAuthorizationException expected) {
            // Said for good.
        }
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", address, "group.id", "new", "group.protocol", "consumer"));
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            while (System.nanoTime() - begun < 30_000_000_000L) consumer.poll(Duration.ofMillis(200));
            check(false, "there are no groups of the new protocol");
        } catch (UnsupportedVersionException expected) {
            // Said for good.
        }
    }

    private static void tooLarge() throws Exception {
        try (var producer = producer(Map.of("max.request.size", 50_000_000, "buffer.memory", 50_000_000))) {
            refused(producer.send(new ProducerRecord<>(TOPIC, "x".repeat(5_000_000))), RecordTooLargeException.class);
            // Many sound ones in one request are larger than one that is not.
            var sent = IntStream.range(0, 12).mapToObj(number -> producer.send(new ProducerRecord<>(TOPIC + "-large", number % 3, null, "y".repeat(900_000))));
            var topic = new NewTopic(TOPIC + "-large", 3, (short) 1);
            try (var admin = Admin.create(Map.<String, Object>of("bootstrap.servers", address))) {
                admin.createTopics(List.of(topic)).all().get();
                for (Future<?> delivery : sent.toList()) delivery.get();
                admin.deleteTopics(List.of(topic.name())).all().get();
            }
        }
    }

    private static KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", address, "delivery.timeout.ms", 60_000, "request.timeout.ms", 20_000));
        settings.putAll(more);
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    private static void produce(List<String> values, Map<String, Object> more) throws Exception {
        try (var producer = producer(more)) {
            var sent = new ArrayList<Future<?>>();
            for (var value : values) sent.add(producer.send(new ProducerRecord<>(TOPIC, value, value)));
            for (var delivery : sent) delivery.get();
        }
    }

    private static List<String> consume(int count, Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", address, "group.id", GROUP, "auto.offset.reset", "earliest", "enable.auto.commit", false));
        settings.putAll(more);
        var values = new ArrayList<String>();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            var end = System.nanoTime() + PATIENCE.toNanos();
            while (values.size() < count) {
                check(System.nanoTime() < end, values.size() + " of " + count + " records");
                for (var record : consumer.poll(Duration.ofMillis(500))) values.add(record.value());
            }
            consumer.commitSync();
        }
        return values.stream().sorted().toList();
    }

    private static void refused(Future<?> future, Class<?> how) throws InterruptedException {
        try {
            future.get();
            check(false, "it was not refused");
        } catch (ExecutionException refused) {
            check(how.isInstance(refused.getCause()), "refused with " + refused.getCause());
        }
    }

    private static void refused(org.apache.kafka.common.KafkaFuture<?> future, Class<?> how) throws InterruptedException {
        refused(future.toCompletionStage().toCompletableFuture(), how);
    }

    private static void check(boolean isSo, String what) {
        if (!isSo) throw new AssertionError(what);
    }
}
