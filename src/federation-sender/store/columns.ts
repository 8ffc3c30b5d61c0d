/** The server of a user id: what follows its first colon; the expression of an index. */
export const serverOf = (userId: string) => `substr(${userId}, strpos(${userId}, ':') + 1)`;
