// Waits until a Kafka broker serves, and makes sure that its topics are there.
//
//   java -cp 'libs/*' Topics.java 127.0.0.1:19092 60 orders.events:3 orders.events.dlq:1
//
// Served means more than an open port: after a restart the broker answers before its partitions have a leader again.

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.errors.TopicExistsException;

final class Topics {
    public static void main(String[] args) throws Exception {
        var deadline = System.nanoTime() + Long.parseLong(args[1]) * 1_000_000_000L;
        var topics = Arrays.stream(args).skip(2).map(Topics::parse).toList();
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", args[0],
            "request.timeout.ms", 2000,
            "default.api.timeout.ms", 5000,
            "reconnect.backoff.ms", 100,
            "reconnect.backoff.max.ms", 500);
        try (var admin = Admin.create(settings)) {
            while (true) {
                try {
                    create(admin, topics);
                    if (allLed(admin, topics)) return;
                } catch (ExecutionException notYet) {
                    if (System.nanoTime() > deadline) throw notYet;
                }
                if (System.nanoTime() > deadline) throw new IllegalStateException("a partition has no leader");
                Thread.sleep(100);
            }
        }
    }

    private static NewTopic parse(String argument) {
        var parts = argument.split(":");
        return new NewTopic(parts[0], Optional.of(Integer.parseInt(parts[1])), Optional.empty());
    }

    private static void create(Admin admin, List<NewTopic> topics) throws ExecutionException, InterruptedException {
        for (var answer : admin.createTopics(topics).values().values()) {
            try {
                answer.get();
            } catch (ExecutionException refused) {
                if (!(refused.getCause() instanceof TopicExistsException)) throw refused;
            }
        }
    }

    private static boolean allLed(Admin admin, List<NewTopic> topics) throws ExecutionException, InterruptedException {
        var names = topics.stream().map(NewTopic::name).toList();
        for (TopicDescription topic : admin.describeTopics(names).allTopicNames().get().values()) {
            if (topic.partitions().stream().anyMatch(partition -> partition.leader() == null)) return false;
        }
        return true;
    }
}
