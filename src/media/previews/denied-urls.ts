/** Patterns for parts of a URL; all of them match, or the URL is not meant. */
export type UrlPatterns = Readonly<Record<string, string>>;

/** The parts of a URL by the names that configurations have for them. */
const parts: Record<string, (url: URL) => string> = {
  scheme: ({ protocol }) => protocol.replace(':', ''),
  netloc: ({ host, username, password }) => {
    const secret = password === '' ? '' : `:${password}`;
    return username === '' ? host : `${username}${secret}@${host}`;
  },
  hostname: ({ hostname }) => hostname,
  port: ({ port }) => port,
  path: ({ pathname }) => pathname,
  query: ({ search }) => search.replace('?', ''),
  fragment: ({ hash }) => hash.replace('#', ''),
  username: ({ username }) => username,
  password: ({ password }) => password,
};

/** `*` and `?` as in file names, or a regular expression that begins with `^`. */
function matcher(pattern: string): RegExp {
  if (pattern.startsWith('^')) return new RegExp(pattern);
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\*/g, '.*').replace(/\?/g, '.')}$`, 's');
}

/** Whether a URL is one of those that are not fetched. An absent part matches nothing. */
export function createUrlFilter(denied: readonly UrlPatterns[]): (url: URL) => boolean {
  const rules = denied.map((patterns) =>
    Object.entries(patterns).map(([part, pattern]) => ({ of: parts[part]!, is: matcher(pattern) })),
  );
  return (url) =>
    !rules.some((rule) =>
      rule.every(({ of, is }) => {
        const value = of(url);
        return value !== '' && is.test(value);
      }),
    );
}
