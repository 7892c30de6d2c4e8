-- Events on their way to Kafka. Two transactions that write the same state commit in the order of their rows here.
create table outbox (
    seq bigint generated always as identity primary key,
    event_id text not null,
    topic text not null,
    key text not null,
    type text not null,
    payload bytea not null,
    traceparent text,
    tracestate text,
    baggage text,
    created_at bigint not null,
    sent_at bigint,
    sent_log text
);

-- Pending rows in order (sent_at is null), and the oldest sent ones.
create index outbox_sent on outbox (sent_at, seq);

-- Events whose effect is in this database.
create table inbox (
    event_id text not null,
    consumer text not null,
    at bigint not null,
    primary key (event_id, consumer)
);

create index inbox_at on inbox (at);

-- One row: the log the outbox is sent to, since when, and whether it has been told what earlier logs were.
create table outbox_log (
    id bigint primary key,
    log text not null,
    since bigint not null,
    caught_up bigint not null
);

-- One row, written to find out whether the database takes writes.
create table probe (
    id bigint primary key,
    at bigint not null
);
insert into probe (id, at) values (1, 0);
