import type { Clock } from '../../kernel/clock.ts';
import type { RoomServices } from '../../rooms/module.ts';
import type { ReportStore } from '../store/reports.ts';

export interface ReportNeeds {
  clock: Clock;
  rooms: RoomServices;
  store: ReportStore;
  /** Whether there is such an account on this server. */
  hasAccount(userId: string): Promise<boolean>;
}
