-- Processes of the server, and which of them holds which part of the divided work.
-- Locks: none (new tables).

create table workers (
  -- A random word that names the process for its life.
  instance   text primary key,
  -- worker_name, or one made from the app.
  name       text not null,
  app        text not null,
  version    text not null,
  -- Where other processes call it: host:port, or the path of a unix socket. Null: nowhere.
  address    text,
  -- Where its clients' requests may be passed on to it, in the same form.
  http       text,
  -- Roles it offers to take.
  roles      text[] not null,
  -- Gives its leases back and takes none.
  draining   boolean not null default false,
  -- Figures for people, as JSON.
  stats      text not null default '{}',
  started_at timestamptz not null default clock_timestamp(),
  seen_at    timestamptz not null default clock_timestamp()
);

-- Who holds a shard of a role. Each time it changes hands the epoch grows, and with it what the
-- former holder still wants to write is refused: see check_leases.
create table leases (
  role   text not null,
  shard  integer not null,
  holder text,
  epoch  bigint not null default 0,
  primary key (role, shard)
);

-- Known to every process that may use the database; proves it to the others.
create table cluster_secret (
  only_one boolean primary key default true check (only_one),
  secret   text not null
);

-- Gives `taker` those of the shards that nobody else alive holds. The exclusive lock waits for the
-- transactions of the former holder that have passed check_leases already. Shards must ascend, here
-- and there, so that two never wait for each other.
create function take_leases(taker text, wanted_role text, wanted_shards integer[], dead_after interval)
returns setof leases language plpgsql as $$
declare
  wanted integer;
  taken  leases;
begin
  foreach wanted in array wanted_shards loop
    perform from leases l join workers w on w.instance = l.holder
      where l.role = wanted_role and l.shard = wanted and w.instance <> taker
        and w.seen_at > clock_timestamp() - dead_after;
    continue when found;
    perform pg_advisory_xact_lock(hashtext(wanted_role), wanted);
    update leases l set holder = taker, epoch = epoch + 1
      where l.role = wanted_role and l.shard = wanted
        and not exists (select from workers w where w.instance = l.holder and w.instance <> taker
          and w.seen_at > clock_timestamp() - dead_after)
      returning * into taken;
    if found then return next taken; end if;
  end loop;
end $$;

-- Fails unless all these leases are held by `claimed_holder` in these epochs, and keeps them so until
-- the transaction ends. Rows ascend by role and shard.
create function check_leases(claimed_holder text, roles text[], shards integer[], epochs bigint[])
returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext(r), s) from unnest(roles, shards) as i(r, s);
  if exists (
    select from unnest(roles, shards, epochs) as i(r, s, e)
      left join leases l on l.role = i.r and l.shard = i.s
      where l.holder is distinct from claimed_holder or l.epoch is distinct from i.e
  ) then
    raise exception 'a lease was lost' using errcode = 'LT001';
  end if;
end $$;

-- Durable streams in the order of their positions, for processes that missed rows on the way.
-- Locks: the indexes keep writers waiting while they are built.
create index events_by_pos on events (pos) where pos is not null;
create index account_data_by_pos on account_data (pos);
create index receipts_by_pos on receipts (pos);
