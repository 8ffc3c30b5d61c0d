/** Messages to devices in one EDU; of one with more none is taken. */
export const messagesMax = 5_000;
/** Bytes of one message, as for those of this server's users. */
export const messageBytesMax = 65_536;
/** Event types and ids of messages; they are parts of a key. */
export const nameLengthMax = 512;

/** Receipts in one EDU; further ones are passed over. */
export const receiptsMax = 2_000;
/** Event ids and roots of threads. */
export const eventIdLengthMax = 255;

/** How long a user types who is not said to have stopped; servers say it again every 40 s. */
export const typingMs = 60_000;

/** Users in one EDU; further ones are passed over. */
export const presencesMax = 1_000;
/** A longer status message is not shown; the length that this server's users may have. */
export const statusLengthMax = 1_024;
