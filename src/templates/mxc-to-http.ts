/** The filter `mxc_to_http` of pages: the path on this server of a thumbnail; empty for other URLs. */
export function mxcToHttp(uri: unknown, width: number, height: number, method = 'crop'): string {
  const [, server, mediaId] =
    /^mxc:\/\/([^/]+)\/([^/?#]+)/.exec(typeof uri === 'string' ? uri : '') ?? [];
  if (server === undefined || mediaId === undefined) return '';
  const query = new URLSearchParams({ width: String(width), height: String(height), method });
  return `/_matrix/media/v3/thumbnail/${server}/${encodeURIComponent(mediaId)}?${query.toString()}`;
}
