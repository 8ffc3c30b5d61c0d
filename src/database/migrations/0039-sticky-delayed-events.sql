-- For how long delayed events are sticky once they have been sent.
-- Locks: delayed_events, for a moment.

-- Milliseconds; null: they are not.
alter table delayed_events add column sticky_ms bigint;
