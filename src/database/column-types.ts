import pg from 'pg';

const int8 = 20;
const int8Array = 1016;
const parseInt8Array = (text: string) =>
  text === '{}' ? [] : text.slice(1, -1).split(',').map(Number);

/** bigint columns are ids, positions and times, all below 2^53: they arrive as numbers. */
export const columnTypes = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (format !== 'binary') {
      if (oid === int8) return Number;
      if (oid === int8Array) return parseInt8Array;
    }
    return pg.types.getTypeParser(oid, format) as (value: string) => unknown;
  },
};
