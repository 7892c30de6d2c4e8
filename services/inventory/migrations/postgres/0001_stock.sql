-- One row a product: pieces in the warehouse, and how many of them are held for orders.
create table stock (
    sku      text collate "C" primary key,
    on_hand  bigint not null check (on_hand >= 0),
    reserved bigint not null check (reserved between 0 and on_hand)
);

-- One row an order that stock was reserved for; never deleted. Times are microseconds since the Unix epoch.
create table reservations (
    order_id    text collate "C" primary key,
    customer    text   not null,
    state       text   not null, -- held, committed, released
    expires_at  bigint not null,
    expired_at  bigint,          -- when it was told that the hold ran out
    settled_at  bigint,
    traceparent text             -- the order's trace
);

-- The holds, those that run out first at the front.
create index reservations_held on reservations (expires_at) where state = 'held';

create table reservation_lines (
    order_id text collate "C" not null references reservations,
    sku      text collate "C" not null,
    quantity bigint not null check (quantity > 0),
    primary key (order_id, sku)
);
