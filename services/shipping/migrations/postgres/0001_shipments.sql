-- One row an order, and with `due_at` its timer; `void` is an order that was cancelled before there was anything to ship.
create table shipments (
    order_id     text primary key,
    customer     text   not null,
    state        text   not null,
    due_at       bigint,          -- microseconds since the Unix epoch; null if no timer runs
    traceparent  text   not null, -- of whoever set the timer; empty outside of a trace
    created_at   bigint not null,
    updated_at   bigint not null
);
create index shipments_due on shipments (due_at) where due_at is not null;
