-- Redactions that may come before what they redact.
-- Locks: events, while the index is built.
create index events_redacts on events (room_nid, redacts) where redacts is not null;
