import { Type } from 'typebox';
import type { Database } from '../../database/database.ts';
import { clientPaths, endpoint } from '../../http/endpoint.ts';
import type { UserDirectoryConfig } from '../config.ts';
import type { Follower } from '../follower.ts';
import { findUsers } from '../store/search.ts';
import { normalised, searchedWords } from '../words.ts';

export interface SearchNeeds {
  database: Database;
  config: UserDirectoryConfig;
  follower: Pick<Follower, 'outstanding'>;
  /** Senders of application services: nobody talks to them. */
  excludedUserIds(): readonly string[];
}

/** CS 1.19, searchUserDirectory. */
const limitDefault = 10;
const limitMax = 50;
/** Longer terms are cut: names are no longer. */
const termLengthMax = 256;
/** How long a search waits for changes that are on their way into the directory. */
const waitMsMax = 100;

/** A term that is a user id, or the beginning of one, in its two parts. */
function partsOf(term: string): { localpart: string; serverPrefix: string } {
  const match = /^@([^:]+):(.*)$/s.exec(term);
  return match
    ? { localpart: match[1]!, serverPrefix: match[2]! }
    : { localpart: term.replace(/^@/, ''), serverPrefix: '' };
}

async function settled({ follower }: SearchNeeds): Promise<void> {
  const work = follower.outstanding();
  if (!work) return;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => (timer = setTimeout(resolve, waitMsMax)));
  await Promise.race([work.catch(() => undefined), patience]);
  clearTimeout(timer);
}

export const searchUserDirectory = endpoint<SearchNeeds>()({
  operation: 'searchUserDirectory',
  method: 'POST',
  paths: clientPaths('/user_directory/search'),
  auth: 'user',
  rateLimit: 'user_directory',
  runsOn: { group: 'user_directory', balance: 'none' },
  summary: 'Finds users by the beginnings of the words of their names',
  source: 'CS 1.19, searchUserDirectory',
  body: Type.Object({ search_term: Type.String(), limit: Type.Optional(Type.Number()) }),
  answers: {
    200: Type.Object({
      limited: Type.Boolean(),
      results: Type.Array(
        Type.Object({
          user_id: Type.String(),
          display_name: Type.Optional(Type.String()),
          avatar_url: Type.Optional(Type.String()),
        }),
      ),
    }),
  },
  errors: ['M_BAD_JSON', 'M_LIMIT_EXCEEDED'],
  async handle({ body, requester }, needs) {
    const { database, config, excludedUserIds } = needs;
    const limit = Math.min(Math.max(Math.trunc(body.limit ?? limitDefault), 0), limitMax);
    const term = normalised(body.search_term.slice(0, termLengthMax)).trim();
    const { localpart, serverPrefix } = partsOf(term);
    const words = searchedWords(localpart).sort((a, b) => b.length - a.length);
    if (!config.isEnabled || words.length === 0 || limit === 0) {
      return { limited: false, results: [] };
    }
    await settled(needs);
    const found = await findUsers(database, {
      ...config,
      searcherNid: requester.userNid,
      words,
      term: localpart,
      serverPrefix,
      excludedUserIds: excludedUserIds(),
      limit: limit + 1,
    });
    return {
      limited: found.length > limit,
      results: found.slice(0, limit).map(({ userId, displayName, avatarUrl }) => ({
        user_id: userId,
        ...(displayName === null ? {} : { display_name: displayName }),
        ...(avatarUrl === null ? {} : { avatar_url: avatarUrl }),
      })),
    };
  },
});
