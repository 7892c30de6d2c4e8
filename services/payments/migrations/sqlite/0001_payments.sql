-- One row an order; `void` is one that was cancelled before there was anything to charge.
create table payments (
    order_id       text primary key,
    customer       text   not null,
    currency       text   not null,
    amount_minor   bigint not null,
    state          text   not null,
    charge_id      text,            -- the third party's; set if it was charged
    decline_reason text,            -- the third party's word; set if it refused
    created_at     bigint not null, -- microseconds since the Unix epoch
    updated_at     bigint not null
);
