/** Most events of a transaction (server-server spec, "Transactions"). */
export const pdusMax = 50;
/** Most EDUs of a transaction. */
export const edusMax = 100;
