"""kafka-python: produces, and consumes as a group that goes on where it was."""

import sys
import uuid

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

ADDRESS = sys.argv[1]
COUNT = 200
TOPIC = f"kafka-python-{uuid.uuid4()}"
GROUP = f"kafka-python-{uuid.uuid4()}"
PATIENCE = 60


def consume(count):
    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=ADDRESS,
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        consumer_timeout_ms=PATIENCE * 1000,
    )
    values = []
    for record in consumer:
        values.append(record.value.decode())
        if len(values) == count:
            break
    consumer.commit()
    consumer.close()
    return values


def produce(values, **settings):
    producer = KafkaProducer(bootstrap_servers=ADDRESS, acks="all", **settings)
    sent = [producer.send(TOPIC, value.encode(), key=value.encode()) for value in values]
    for delivery in sent:
        delivery.get(timeout=PATIENCE)
    producer.close()


admin = KafkaAdminClient(bootstrap_servers=ADDRESS)
admin.create_topics([NewTopic(TOPIC, 2, 1)])
first = [f"first-{number}" for number in range(COUNT)]
produce(first, compression_type="gzip")
assert sorted(consume(COUNT)) == sorted(first)
produce(["second"])
assert consume(1) == ["second"]
assert GROUP in str(admin.list_groups())
admin.describe_groups([GROUP])
admin.delete_topics([TOPIC])
admin.close()
print("kafka-python: ok")
