/** Server-server spec, "Transactions". */
export const pdusPerTransaction = 50;
export const edusPerTransaction = 100;

/** What may wait for one server in memory, events and changes of devices; about 60 bytes each. */
export const queuedItemsMax = 1_000;
/** The same for all servers together. */
export const allQueuedItemsMax = 200_000;
/** Transactions under way at the same time: servers far away are slow, and answers are waited for. */
export const runningMax = 256;
/**
 * Of a server that was away for very long: the newest of our events of a room; it asks for those before
 * itself.
 */
export const caughtUpEventsPerRoom = 5_000;
/** Rooms whose events are read together, and events that are read of each at once. */
export const caughtUpRoomsAtOnce = 10;
export const caughtUpEventsPerPage = 200;
/** Rooms whose numbers are held while a server is caught up. */
export const caughtUpRoomsPerPage = 10_000;
