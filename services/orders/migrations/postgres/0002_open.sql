-- The few orders that are under way, among all that ever were: looked at every few seconds.
create index orders_open on orders (status, placed_at) where status in ('placed', 'paid', 'dispatched');
