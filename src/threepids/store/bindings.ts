import { statement } from '../../database/statement.ts';

/** An identity server that tells whose an address or number is. */
export interface BindingRow {
  medium: string;
  address: string;
  idServer: string;
}

export const insertBinding = statement<
  [userNid: number, medium: string, address: string, idServer: string],
  object
>(
  'threepids.bind',
  `insert into threepid_bindings (user_nid, medium, address, id_server)
   values ($1, $2, $3, $4) on conflict do nothing`,
);

export const deleteBinding = statement<
  [userNid: number, medium: string, address: string, idServer: string],
  object
>(
  'threepids.unbind',
  `delete from threepid_bindings
   where user_nid = $1 and medium = $2 and address = $3 and id_server = $4`,
);

export const selectBindings = statement<[userNid: number], BindingRow>(
  'threepids.bindings',
  `select medium, address, id_server as "idServer" from threepid_bindings where user_nid = $1`,
);
