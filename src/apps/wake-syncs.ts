import { accountDataStream } from '../account-data/module.ts';
import { presenceStream } from '../presence/module.ts';
import { receiptStream } from '../receipts/module.ts';
import type { Bus } from '../streams/bus.ts';
import type { SyncViews } from '../sync/module.ts';
import { threadSubscriptionStream } from '../thread-subscriptions/module.ts';
import { typingStream } from '../typing/module.ts';

/** Wakes those who sync when something other than events has changed. */
export function wakeSyncs(bus: Bus, views: SyncViews): void {
  bus.subscribe(accountDataStream, (rows) => {
    for (const { pos, row } of rows) views.touchUser(row.userNid, pos);
  });
  bus.subscribe(threadSubscriptionStream, (rows) => {
    for (const { pos, row } of rows) views.touchUser(row.userNid, pos);
  });
  bus.subscribe(receiptStream, (rows) => {
    for (const { pos, row } of rows) views.touchRoom(row.roomNid, { receiptPos: pos });
  });
  bus.subscribe(typingStream, (rows) => {
    for (const { pos, row } of rows) views.touchRoom(row.roomNid, { typingPos: pos });
  });
  bus.subscribe(presenceStream, (rows) => {
    for (const { row } of rows) views.touchPresence(row.userNid);
  });
}
