-- Pushers that are kept, but push nothing for now (MSC3881).
alter table pushers add column is_enabled boolean not null default true;
