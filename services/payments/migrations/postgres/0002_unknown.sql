-- Charges whose outcome is unknown (state `unknown`): by which key they were asked for, when the third party is to be asked next
-- to take them back, how often that was tried, and the trace they belong to.
alter table payments add column charge_key text;
alter table payments add column resolve_at bigint; -- microseconds since the Unix epoch
alter table payments add column resolve_attempts bigint not null default 0;
alter table payments add column traceparent text;

create index payments_unknown on payments (resolve_at) where resolve_at is not null;
