import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const insertRoom = statement<[string, string, string], never>(
  'insert_appservice_directory_room',
  `insert into appservice_directories (appservice_id, network_id, room_nid)
   select $1, $2, room_nid from rooms where room_id = $3 on conflict do nothing`,
);

const deleteRoom = statement<[string, string, string], never>(
  'delete_appservice_directory_room',
  `delete from appservice_directories
   where appservice_id = $1 and network_id = $2
     and room_nid = (select room_nid from rooms where room_id = $3)`,
);

/** One of the directories of an application service. */
export interface AppserviceNetwork {
  appserviceId: string;
  networkId: string;
}

/** Which rooms application services show in the directories of their networks. */
export function createAppserviceDirectoryStore(database: Queryable) {
  return {
    async set(network: AppserviceNetwork, roomId: string, isShown: boolean): Promise<void> {
      const { appserviceId, networkId } = network;
      await database.query(isShown ? insertRoom : deleteRoom, [appserviceId, networkId, roomId]);
    },
  };
}

export type AppserviceDirectoryStore = ReturnType<typeof createAppserviceDirectoryStore>;
