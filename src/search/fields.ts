/** What can be searched, by the names the API has for it (client-server spec, search). */
export const fields = [
  { field: 1, key: 'content.body', type: 'm.room.message', member: 'body' },
  { field: 2, key: 'content.name', type: 'm.room.name', member: 'name' },
  { field: 3, key: 'content.topic', type: 'm.room.topic', member: 'topic' },
] as const;

const byType = new Map<string, (typeof fields)[number]>(fields.map((one) => [one.type, one]));

export const fieldOf = (type: string): number | null => byType.get(type)?.field ?? null;

/** The text of an event that can be searched; null: there is none. */
export function textIn(type: string, content: string): string | null {
  const one = byType.get(type);
  if (!one) return null;
  const value = (JSON.parse(content) as Record<string, unknown>)[one.member];
  return typeof value === 'string' ? value : null;
}
