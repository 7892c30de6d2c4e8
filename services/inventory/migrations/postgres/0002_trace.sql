-- What the order's trace passes on beside its ids: <https://www.w3.org/TR/trace-context/>, <https://www.w3.org/TR/baggage/>.
alter table reservations add column tracestate text;
alter table reservations add column baggage text;
