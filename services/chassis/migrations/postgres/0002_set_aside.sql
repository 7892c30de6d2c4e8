-- Events that no broker takes, whatever is done: they wait here for the operator, so that what comes after them is sent.
-- Nothing is required of the columns: a row that cannot be read is moved here as it is.
create table outbox_set_aside (
    seq bigint primary key,
    event_id text,
    topic text,
    key text,
    type text,
    payload bytea,
    traceparent text,
    tracestate text,
    baggage text,
    created_at bigint,
    reason text not null,
    detail text not null,
    attempts bigint not null,
    set_aside_at bigint not null
);
