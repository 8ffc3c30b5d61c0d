import { open } from 'node:fs/promises';
import type createImage from 'sharp';
import type { Sharp } from 'sharp';
import { MatrixError } from '../../kernel/errors.ts';
import type { ThumbnailSize } from '../config.ts';
import { formatBytes, imageFormatOf, type ImageFormat } from './image-format.ts';

export interface MadeThumbnail {
  data: Buffer;
  contentType: string;
  width: number;
  height: number;
}

/** Images at once: each takes a thread of its own and up to some 100 MB. */
const atOnce = 2;
/** More wait for a while; beyond that a client is told to come again. */
const waitingMax = 200;
/** An image that takes longer is given up. */
const secondsMax = 20;
const jpegQuality = 80;
const webpQuality = 75;

/** Decoders of what browsers show; none of what runs programs or fetches files, as SVG does. */
const loaders = ['Jpeg', 'Png', 'Nsgif', 'Webp', 'Heif'].map((name) => `VipsForeignLoad${name}`);

let loading: Promise<typeof createImage> | null = null;

/** Loaded with the first image: a process that sees none is without it. */
async function load(): Promise<typeof createImage> {
  const { default: sharp } = await import('sharp');
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: loaders });
  // One thread for each image, and no memory kept for images that will not come again.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

const loaded = () => (loading ??= load());

const refused = (reason: string) => new MatrixError('M_UNKNOWN', reason);

async function formatOf(path: string): Promise<ImageFormat | null> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(formatBytes);
    const { bytesRead } = await file.read(head, 0, formatBytes, 0);
    return imageFormatOf(head.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Size and format of an image file, without decoding it; null when it is none. */
export async function measureImage(path: string) {
  const format = await formatOf(path);
  if (format === null) return null;
  const sharp = await loaded();
  try {
    const {
      width,
      height,
      orientation = 1,
      pages = 1,
      pageHeight,
      hasAlpha,
    } = await sharp(path).metadata();
    // Orientations from 5 lie on their side (EXIF).
    const isTurned = orientation >= 5;
    const tall = pageHeight ?? height;
    return {
      contentType: `image/${format}`,
      format,
      frames: pages,
      isTransparent: hasAlpha,
      width: isTurned ? tall : width,
      height: isTurned ? width : tall,
    };
  } catch {
    return null;
  }
}

let running = 0;
const waiting: (() => void)[] = [];

/** Waits for a turn, and gives it on. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running < atOnce) running++;
  else if (waiting.length < waitingMax) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    const text = 'Too many thumbnails are being made';
    throw new MatrixError('M_LIMIT_EXCEEDED', text, { extra: { retry_after_ms: 5_000 } });
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/** The size of a piece in the shape that is wanted, as large as can be had without enlarging. */
function pieceOf(image: { width: number; height: number }, wanted: ThumbnailSize) {
  const factor = Math.min(1, image.width / wanted.width, image.height / wanted.height);
  const side = (length: number) => Math.max(1, Math.round(length * factor));
  return { width: side(wanted.width), height: side(wanted.height) };
}

function encoded(
  image: Sharp,
  { format, isTransparent }: { format: ImageFormat; isTransparent: boolean },
  isAnimated: boolean,
) {
  if (isAnimated) return image.webp({ quality: webpQuality, effort: 2 });
  // What comes without loss, text and drawings above all, stays so.
  if (isTransparent || format === 'gif' || format === 'png')
    return image.png({ compressionLevel: 6 });
  return image.jpeg({ quality: jpegQuality });
}

/**
 * Makes a thumbnail of an image file. libvips does it in a thread of its own, in pieces. Throws M_UNKNOWN
 * for what is no image, M_TOO_LARGE for one with more than `pixelsMax` pixels, all frames counted.
 */
export async function makeThumbnail(
  path: string,
  size: ThumbnailSize,
  options: { isAnimated: boolean; pixelsMax: number },
): Promise<MadeThumbnail> {
  const image = await measureImage(path);
  if (image === null) throw refused('Thumbnails of this type of content cannot be made');
  const isAnimated = options.isAnimated && image.frames > 1;
  const frames = isAnimated ? image.frames : 1;
  if (image.width * image.height * frames > options.pixelsMax) {
    throw new MatrixError('M_TOO_LARGE', 'The image is too large to make a thumbnail of it');
  }
  const sharp = await loaded();
  return inTurn(async () => {
    const isPiece = size.method === 'crop';
    const { width, height } = isPiece ? pieceOf(image, size) : size;
    const resized = sharp(path, {
      animated: isAnimated,
      limitInputPixels: options.pixelsMax,
      sequentialRead: true,
      failOn: 'none',
    })
      .autoOrient()
      .timeout({ seconds: secondsMax })
      .resize({
        width,
        height,
        fit: isPiece ? 'cover' : 'inside',
        withoutEnlargement: !isPiece,
        // Catmull-Rom: looks like Lanczos, the default, in images made smaller, and costs less.
        kernel: 'cubic',
      });
    try {
      const made = encoded(resized, image, isAnimated);
      const { data, info } = await made.toBuffer({ resolveWithObject: true });
      const tall = info.pageHeight ?? info.height;
      return { data, contentType: `image/${info.format}`, width: info.width, height: tall };
    } catch (error) {
      throw refused(`The image cannot be read: ${firstLine(error)}`);
    }
  });
}

const firstLine = (error: unknown) =>
  error instanceof Error ? error.message.split('\n')[0]! : String(error);
