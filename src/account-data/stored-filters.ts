import { createHash } from 'node:crypto';
import { boundedCache } from '../kernel/bounded-cache.ts';
import { MatrixError } from '../kernel/errors.ts';
import { canonicalJsonLenient } from '../matrix/canonical-json.ts';
import { parseFilter, type Filter } from '../matrix/filters/filter.ts';
import { InvalidFilter } from '../matrix/filters/json-shape.ts';
import type { JsonObject } from '../matrix/pdu.ts';
import type { FilterStore } from './store/filters.ts';

/** Compiled filters kept in memory. */
const cachedMax = 5_000;

/** Filters that clients have stored for their use. */
export interface StoredFilters {
  /** Stores a filter; gives its id. Throws M_INVALID_PARAM. */
  add(userNid: number, filter: JsonObject): Promise<string>;
  /** JSON text. Rejects with M_NOT_FOUND. */
  text(userNid: number, filterId: string): Promise<string>;
  /** Compiled. Rejects with M_NOT_FOUND. */
  byId(userNid: number, filterId: string): Filter | Promise<Filter>;
}

export function createStoredFilters(store: FilterStore): StoredFilters {
  const compiled = boundedCache<string, Filter>(cachedMax);

  async function text(userNid: number, filterId: string): Promise<string> {
    const filter = /^\d{1,15}$/.test(filterId) ? await store.get(userNid, Number(filterId)) : null;
    if (filter === null) throw new MatrixError('M_NOT_FOUND', `No such filter: ${filterId}`);
    return filter;
  }

  return {
    async add(userNid, filter) {
      try {
        parseFilter(filter);
      } catch (error) {
        if (error instanceof InvalidFilter) throw new MatrixError('M_BAD_JSON', error.message);
        throw error;
      }
      const json = canonicalJsonLenient(filter);
      const hash = createHash('sha256').update(json).digest();
      return String(await store.add(userNid, hash, json));
    },
    text,
    byId(userNid, filterId) {
      const key = `${userNid} ${filterId}`;
      const known = compiled.get(key);
      if (known) return known;
      return text(userNid, filterId).then((json) => {
        const filter = parseFilter(JSON.parse(json));
        compiled.set(key, filter);
        return filter;
      });
    },
  };
}
