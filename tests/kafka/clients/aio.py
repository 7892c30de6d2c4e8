"""aiokafka: produces, and consumes as a group that goes on where it was."""

import asyncio
import sys
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

ADDRESS = sys.argv[1]
COUNT = 200
TOPIC = f"aiokafka-{uuid.uuid4()}"
GROUP = f"aiokafka-{uuid.uuid4()}"
PATIENCE = 60


async def consume(count, **settings):
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=ADDRESS, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False, **settings
    )
    await consumer.start()
    try:
        records = [await asyncio.wait_for(consumer.getone(), PATIENCE) for _ in range(count)]
        await consumer.commit()
        ends = await consumer.end_offsets([TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)])
        assert sum(ends.values()) >= count, ends
        return [record.value.decode() for record in records]
    finally:
        await consumer.stop()


async def produce(values, **settings):
    producer = AIOKafkaProducer(bootstrap_servers=ADDRESS, **settings)
    await producer.start()
    try:
        sent = [await producer.send(TOPIC, value.encode(), key=value.encode()) for value in values]
        await asyncio.wait_for(asyncio.gather(*sent), PATIENCE)
    finally:
        await producer.stop()


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=ADDRESS)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 2, 1)])
    first = [f"first-{number}" for number in range(COUNT)]
    await produce(first, enable_idempotence=True, compression_type="gzip")
    assert sorted(await consume(COUNT)) == sorted(first)
    await produce(["second"])
    assert await consume(1) == ["second"]
    groups = [group[0] for group in await admin.list_consumer_groups()]
    assert GROUP in groups, groups
    await admin.describe_consumer_groups([GROUP])
    offsets = await admin.list_consumer_group_offsets(GROUP)
    assert sum(offset.offset for offset in offsets.values()) == COUNT + 1, offsets
    await admin.delete_topics([TOPIC])
    await admin.close()


asyncio.run(main())
print("aiokafka: ok")
