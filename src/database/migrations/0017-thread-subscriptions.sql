-- Threads that users subscribe to (MSC4306).
-- Locks: none (new table).

create table thread_subscriptions (
  user_nid      bigint not null,
  room_nid      bigint not null,
  -- Event id of the thread's root.
  thread_id     text not null,
  -- False: the user has unsubscribed; the row stays, so that the user's devices learn of it.
  is_subscribed boolean not null,
  -- The user's client has decided it, for example because of a mention.
  is_automatic  boolean not null,
  -- Since where in the timeline `is_subscribed` holds.
  since_pos     bigint not null,
  -- The position of the last change.
  pos           bigint not null,
  primary key (user_nid, room_nid, thread_id)
);
create index thread_subscriptions_changes on thread_subscriptions (pos);
create index thread_subscriptions_user_changes on thread_subscriptions (user_nid, pos);
