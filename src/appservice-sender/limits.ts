/** In one transaction; what there is more of comes in the next. */
export const eventsPerTransaction = 100;
export const ephemeralPerTransaction = 100;
export const messagesPerTransaction = 100;
/** Of events and messages, in UTF-16 units of their JSON. The first one is sent whatever its size. */
export const charactersPerTransaction = 1024 * 1024;
/** Rows of streams that are looked at together. */
export const rowsPerPage = 1_000;
/** Rows in memory for services that are not behind. */
export const recentRowsMax = 4_000;
export const recentCharactersMax = 16 * 1024 * 1024;
