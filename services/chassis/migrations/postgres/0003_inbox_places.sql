-- Where the event was when it had its effect: its id must be known for as long as the event may be delivered again, which is
-- until the consumer group has committed an offset above it. Rows of earlier versions have no place.
alter table inbox add column topic text;
alter table inbox add column partition_id bigint;
alter table inbox add column position bigint;

drop index inbox_at;
create index inbox_place on inbox (topic, partition_id, position);
