/** The formats that thumbnails are made of. */
export type ImageFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'avif';

/** How many bytes of a file `imageFormatOf` wants. */
export const formatBytes = 32;

/** The format of an image by its first bytes; what its sender says of it does not matter. */
export function imageFormatOf(head: Buffer): ImageFormat | null {
  if (head.length < 12) return null;
  const text = (from: number, to: number) => head.toString('latin1', from, to);
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return 'jpeg';
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return 'gif';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  if (text(4, 8) === 'ftyp' && /avi[fs]/.test(text(8, formatBytes))) return 'avif';
  return null;
}
