-- One row an order; `abandoned` is the tombstone of one that was reserved for, but never written.
create table orders (
    id          text primary key,
    customer    text   not null,
    status      text   not null,
    reason      text,
    authorized  bigint not null,
    dispatched  bigint not null,
    delivered   bigint not null,
    items       text   not null, -- JSON
    history     text   not null, -- JSON
    currency    text   not null,
    total_minor bigint not null,
    fingerprint text   not null,
    traceparent text   not null,
    placed_at   bigint not null, -- microseconds since the Unix epoch
    revision    bigint not null
);
create index orders_of_customer on orders (customer, placed_at, id);
