import type { Accounts } from '../accounts/module.ts';
import { createReports } from '../reports/module.ts';
import type { Rooms } from '../rooms/module.ts';
import { createTasks } from '../tasks/module.ts';
import type { UserDirectory } from '../user-directory/module.ts';
import { createUserRedaction } from '../user-redaction/module.ts';
import type { Foundation } from './domains.ts';

interface Others {
  accounts: Accounts;
  rooms: Rooms;
  userDirectory: UserDirectory;
}

/** What users report to admins, and long work that admins start. */
export function assembleAdministration(foundation: Foundation, others: Others) {
  const { database, clock } = foundation;
  const { accounts, rooms, userDirectory } = others;
  const { directory } = accounts.services;
  const reports = createReports({
    database,
    clock,
    rooms: rooms.services,
    hasAccount: async (userId) => (await directory.byUserId(userId)) !== null,
  });
  const tasks = createTasks(foundation);
  tasks.register('regenerate_directory', { isUpdate: true, work: userDirectory.regenerate });
  const redaction = createUserRedaction({ database, rooms: rooms.services, tasks });
  tasks.start();
  return {
    endpoints: [...reports.endpoints, ...tasks.endpoints, ...redaction.endpoints],
    tidy: () => tasks.tidy(),
    stop: () => tasks.stop(),
  };
}
