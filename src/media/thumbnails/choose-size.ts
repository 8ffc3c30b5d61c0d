import type { ThumbnailSize } from '../config.ts';

/** Larger ones are not made even when any size may be asked for. */
const sideMax = 2_048;

const area = ({ width, height }: ThumbnailSize) => width * height;

const smallest = (sizes: readonly ThumbnailSize[], wanted: ThumbnailSize) =>
  sizes
    .filter(({ width, height }) => width >= wanted.width && height >= wanted.height)
    .toSorted((a, b) => area(a) - area(b))[0];

const largest = (sizes: readonly ThumbnailSize[]) => sizes.toSorted((a, b) => area(b) - area(a))[0];

/**
 * Which of the sizes a server makes is best for what is asked: of the same method the smallest that is
 * not smaller than asked. A piece of a picture can be cut by the client too, so where only smaller pieces
 * are made it gets the whole one: thumbnails are no smaller than asked (client-server spec, "Thumbnails").
 */
export function chooseSize(
  sizes: readonly ThumbnailSize[],
  wanted: ThumbnailSize,
): ThumbnailSize | null {
  const alike = sizes.filter(({ method }) => method === wanted.method);
  const usable = wanted.method === 'scale' && alike.length > 0 ? alike : sizes;
  return smallest(alike, wanted) ?? smallest(usable, wanted) ?? largest(usable) ?? null;
}

/** What is asked for, where any size may be. */
export function boundedSize({ width, height, method }: ThumbnailSize): ThumbnailSize {
  return { width: Math.min(width, sideMax), height: Math.min(height, sideMax), method };
}
