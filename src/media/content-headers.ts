/**
 * Types that browsers show without running anything in them (client-server spec, "Serving inline
 * content").
 */
const inlineTypes = new Set([
  'text/css',
  'text/plain',
  'text/csv',
  'application/json',
  'application/ld+json',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'audio/mp4',
  'audio/webm',
  'audio/aac',
  'audio/mpeg',
  'audio/ogg',
  'audio/wave',
  'audio/wav',
  'audio/x-wav',
  'audio/x-pn-wav',
  'audio/flac',
  'audio/x-flac',
]);

/** What a user's content may do in a browser: nothing (client-server spec, "Security considerations"). */
const policy =
  "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; " +
  "style-src 'unsafe-inline'; media-src 'self'; object-src 'self';";

/** A content does not change under its URI. */
const keptSeconds = 86_400;

const typePattern = /^[\w!#$&^.+-]+\/[\w!#$&^.+*-]+(?:\s*;[\x20-\x7e]*)?$/;
const typeLengthMax = 255;

/** A content type as a client said it, when it can be sent on; else the type of any bytes. */
export function safeContentType(given: string | undefined): string {
  const type = given?.trim() ?? '';
  return type.length <= typeLengthMax && typePattern.test(type) ? type : 'application/octet-stream';
}

/** Text is read as UTF-8, when it does not say otherwise. */
function shownType(contentType: string): string {
  return /^text\/[^;]+$/i.test(contentType) ? `${contentType}; charset=UTF-8` : contentType;
}

const tokenOnly = /^[\w!#$&+.^`|~-]+$/;

/** RFC 6266; names that are not plain are percent-encoded (RFC 8187). */
export function contentDisposition(contentType: string, fileName: string | null): string {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  const kind = inlineTypes.has(type) ? 'inline' : 'attachment';
  if (fileName === null || fileName === '') return kind;
  if (tokenOnly.test(fileName)) return `${kind}; filename=${fileName}`;
  const encoded = encodeURIComponent(fileName.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename*=utf-8''${encoded}`;
}

export interface ServedContent {
  sha256: string;
  contentType: string;
  fileName: string | null;
  /** Also caches that several people share may keep it. */
  isPublic: boolean;
}

/** The same for the same content, and no secret: a part of the hash is enough. */
export const etagOf = (sha256: string) => `"${sha256.slice(0, 32)}"`;

/** The headers of a content, whatever part of it is sent. */
export function contentHeaders(content: ServedContent): Record<string, string> {
  const { sha256, contentType, fileName, isPublic } = content;
  return {
    'Content-Type': shownType(contentType),
    'Content-Disposition': contentDisposition(contentType, fileName),
    'Content-Security-Policy': policy,
    'X-Content-Security-Policy': 'sandbox;',
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'X-Robots-Tag': 'noindex, nofollow, noarchive, noimageindex',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': `${isPublic ? 'public' : 'private'}, max-age=${keptSeconds}, immutable`,
    'Accept-Ranges': 'bytes',
    ETag: etagOf(sha256),
  };
}
