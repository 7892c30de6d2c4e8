"""confluent-kafka (librdkafka): produces, consumes as a group that goes on where it was, and administers."""

import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

ADDRESS = {"bootstrap.servers": sys.argv[1], "broker.address.family": "v4"}
COUNT = 200
TOPIC = f"confluent-{uuid.uuid4()}"
GROUP = f"confluent-{uuid.uuid4()}"
PATIENCE = 60


def consume(count, **settings):
    consumer = Consumer({**ADDRESS, "group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False, **settings})
    consumer.subscribe([TOPIC])
    end = time.monotonic() + PATIENCE
    values = []
    while len(values) < count:
        assert time.monotonic() < end, f"{len(values)} of {count} records"
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        values.append(message.value().decode())
    consumer.commit(asynchronous=False)
    consumer.close()
    return values


def produce(values, **settings):
    producer = Producer({**ADDRESS, **settings})
    failed = []
    for value in values:
        producer.produce(TOPIC, key=value[:20], value=value, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(PATIENCE) == 0
    return failed


def administer(admin):
    [(_, future)] = admin.create_topics([NewTopic(TOPIC, 2, 1)]).items()
    future.result(PATIENCE)
    [(_, future)] = admin.create_topics([NewTopic("only-checked", 1, 1)], validate_only=True).items()
    future.result(PATIENCE)
    assert "only-checked" not in admin.list_topics(timeout=PATIENCE).topics
    [(_, future)] = admin.create_topics([NewTopic("three-copies", 1, 3)]).items()
    assert refused(future) == KafkaError.INVALID_REPLICATION_FACTOR
    [(_, future)] = admin.create_partitions([NewPartitions(TOPIC, 3)]).items()
    future.result(PATIENCE)
    resource = ConfigResource(ConfigResource.Type.TOPIC, TOPIC)
    [(_, future)] = admin.describe_configs([resource]).items()
    assert int(future.result(PATIENCE)["max.message.bytes"].value) == 1048588


def refused(future):
    try:
        future.result(PATIENCE)
    except KafkaException as error:
        return error.args[0].code()
    raise AssertionError("it was not refused")


def finish(admin):
    groups = admin.list_consumer_groups().result(PATIENCE).valid
    assert GROUP in [group.group_id for group in groups]
    [(_, future)] = admin.delete_records([TopicPartition(TOPIC, 0, 1)]).items()
    assert future.result(PATIENCE).low_watermark == 1
    [(_, future)] = admin.delete_topics([TOPIC]).items()
    future.result(PATIENCE)


def not_here():
    """What the embedded broker does not have is refused at once and for good."""
    begun = time.monotonic()
    producer = Producer({**ADDRESS, "transactional.id": "any"})
    try:
        producer.init_transactions(PATIENCE)
        raise AssertionError("there are no transactions")
    except KafkaException as error:
        assert error.args[0].fatal() or not error.args[0].retriable(), error
    errors = []
    consumer = Consumer({**ADDRESS, "group.id": f"new-{uuid.uuid4()}", "group.protocol": "consumer", "error_cb": errors.append})
    consumer.subscribe([TOPIC])
    while not any(error.fatal() or error.code() == KafkaError._FATAL for error in errors):
        assert time.monotonic() < begun + 20, errors
        try:
            message = consumer.poll(0.2)
        except KafkaException as error:
            errors.append(error.args[0])
            continue
        if message is not None and message.error():
            errors.append(message.error())
    consumer.close()


def main():
    admin = AdminClient(ADDRESS)
    administer(admin)
    first = [f"first-{number}" for number in range(COUNT)]
    assert produce(first, **{"enable.idempotence": True, "compression.type": "lz4"}) == []
    assert sorted(consume(COUNT)) == sorted(first)
    assert produce(["second"]) == []
    # A static member, too, continues at the committed offset of the group.
    assert consume(1, **{"group.instance.id": "one"}) == ["second"]
    begun = time.monotonic()
    assert produce(["third"]) == []
    assert consume(1, **{"group.instance.id": "one"}) == ["third"]
    assert time.monotonic() - begun < 10, "a static member had to wait for its former self"
    failed = produce(["x" * 3_000_000], **{"message.max.bytes": 10_000_000})
    assert [error.code() for error in failed] == [KafkaError.MSG_SIZE_TOO_LARGE], failed
    if "embedded" in sys.argv:
        not_here()
    finish(admin)


main()
print("confluent-kafka: ok")
