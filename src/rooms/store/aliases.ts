import type { Queryable } from '../../database/database.ts';
import { statement } from '../../database/statement.ts';

const selectAlias = statement<[string], { roomId: string; roomNid: number; creatorNid: number }>(
  'select_alias',
  `select r.room_id as "roomId", r.room_nid as "roomNid", a.creator_nid as "creatorNid"
   from room_aliases a join rooms r on r.room_nid = a.room_nid where a.alias = $1`,
);
const selectAliases = statement<[number], { alias: string }>(
  'select_aliases_of_room',
  'select alias from room_aliases where room_nid = $1 order by alias',
);
const insertAlias = statement<[string, number, number], { alias: string }>(
  'insert_alias',
  `insert into room_aliases (alias, room_nid, creator_nid) values ($1, $2, $3)
   on conflict do nothing returning alias`,
);
const deleteAlias = statement<[string], { roomNid: number }>(
  'delete_alias',
  'delete from room_aliases where alias = $1 returning room_nid as "roomNid"',
);
const moveAliases = statement<[number, number], { alias: string }>(
  'move_aliases',
  'update room_aliases set room_nid = $2 where room_nid = $1 returning alias',
);

/** Aliases of this server. */
export function createAliasStore(database: Queryable) {
  return {
    async find(alias: string) {
      return (await database.query(selectAlias, [alias]))[0] ?? null;
    },
    async ofRoom(roomNid: number): Promise<string[]> {
      return (await database.query(selectAliases, [roomNid])).map((row) => row.alias);
    },
    /** False when the alias is taken. */
    async add(alias: string, roomNid: number, creatorNid: number): Promise<boolean> {
      return (await database.query(insertAlias, [alias, roomNid, creatorNid])).length > 0;
    },
    /** The rooms that it stood for. */
    async remove(alias: string): Promise<number[]> {
      return (await database.query(deleteAlias, [alias])).map(({ roomNid }) => roomNid);
    },
    /** Points all aliases of one room to another. */
    async move(fromNid: number, toNid: number): Promise<void> {
      await database.query(moveAliases, [fromNid, toNid]);
    },
  };
}

export type AliasStore = ReturnType<typeof createAliasStore>;
