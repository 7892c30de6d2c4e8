-- What else belongs to the trace of an order's story: its cancellation by the customer passes it on.
alter table orders add column tracestate text;
alter table orders add column baggage text;
