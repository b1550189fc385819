import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.FileReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Debezium's engine, and behind it Kafka: what Kafka Connect does, in one process without a cluster. One argument: a properties file,
 * Debezium's own settings and `brokers`. A record counts as done once Kafka has it; SIGTERM ends it, and SIGKILL leaves it to send again
 * what it has not noted as done.
 */
public final class Capture {
    public static void main(String[] arguments) throws IOException {
        Properties settings = new Properties();
        try (FileReader file = new FileReader(arguments[0])) {
            settings.load(file);
        }
        Properties kafka = new Properties();
        kafka.setProperty("bootstrap.servers", (String) settings.remove("brokers"));
        // as Kafka Connect sets them. With its own defaults, idempotence and five requests in flight, a producer whose first batches come to a
        // topic while it is being made can be refused for ever: OUT_OF_ORDER_SEQUENCE_NUMBER, seen 2 times in 10.
        kafka.setProperty("enable.idempotence", "false");
        kafka.setProperty("max.in.flight.requests.per.connection", "1");
        kafka.setProperty("acks", "all");
        kafka.setProperty("delivery.timeout.ms", String.valueOf(Integer.MAX_VALUE));
        KafkaProducer<String, String> producer = new KafkaProducer<>(kafka, new StringSerializer(), new StringSerializer());
        DebeziumEngine<ChangeEvent<String, String>> engine = DebeziumEngine.create(Json.class)
                .using(settings)
                .using((success, message, error) -> {
                    System.err.println((success ? "ended: " : "failed: ") + message);
                    if (error != null) {
                        error.printStackTrace();
                    }
                })
                .notifying((events, committer) -> {
                    List<Future<RecordMetadata>> sent = new ArrayList<>();
                    for (ChangeEvent<String, String> event : events) {
                        sent.add(producer.send(new ProducerRecord<>(event.destination(), event.key(), event.value())));
                    }
                    for (Future<RecordMetadata> one : sent) {
                        try {
                            one.get();
                        } catch (ExecutionException e) {
                            throw new IllegalStateException(e.getCause());
                        }
                    }
                    for (ChangeEvent<String, String> event : events) {
                        committer.markProcessed(event);
                    }
                    committer.markBatchFinished();
                })
                .build();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                engine.close();
            } catch (IOException | IllegalStateException e) {
                System.err.println("closing: " + e.getMessage());
            }
        }));
        engine.run();
        producer.close();
        System.exit(0);
    }
}
