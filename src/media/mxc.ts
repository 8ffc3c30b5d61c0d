import type { MediaName } from './store/delete-media.ts';

const pattern = /^mxc:\/\/([^/?#]+)\/([A-Za-z0-9_-]+)$/;

/** The parts of an `mxc:` URI (client-server spec, "Matrix Content (mxc://) URIs"); null when it is none. */
export function parseMxc(uri: unknown): { serverName: string; mediaId: string } | null {
  const match = typeof uri === 'string' ? pattern.exec(uri) : null;
  return match ? { serverName: match[1]!, mediaId: match[2]! } : null;
}

/** Media as the rows name them: this server is the empty origin. */
export const mediaName = (
  parts: { serverName: string; mediaId: string },
  ownServerName: string,
): MediaName => ({
  origin: parts.serverName === ownServerName ? '' : parts.serverName,
  mediaId: parts.mediaId,
});

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;

/** The `mxc:` URIs of an event’s content that clients show: the file and its thumbnail. */
export function mediaIn(content: unknown): string[] {
  const info = member(content, 'info');
  return [
    member(content, 'url'),
    member(member(content, 'file'), 'url'),
    member(info, 'thumbnail_url'),
    member(member(info, 'thumbnail_file'), 'url'),
  ].filter((uri): uri is string => parseMxc(uri) !== null);
}
