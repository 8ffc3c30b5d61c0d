-- Rate limits that admins give single users.
-- Locks: accounts, for the moment it takes to add columns without defaults.
alter table accounts
  -- Uses a second and at once instead of the usual limits; null: those. A rate of 0 is no limit.
  add column rate_per_second real,
  add column rate_burst      integer;
