import type { ThumbnailSize } from '../config.ts';

/** Larger ones are not made even when any size may be asked for. */
const sideMax = 2_048;

const area = ({ width, height }: ThumbnailSize) => width * height;

/**
 * Which of the sizes a server makes is best for what is asked: of the same method when there is one,
 * the smallest that is not smaller than asked, or else the largest.
 */
export function chooseSize(
  sizes: readonly ThumbnailSize[],
  wanted: ThumbnailSize,
): ThumbnailSize | null {
  const alike = sizes.filter(({ method }) => method === wanted.method);
  const ordered = (alike.length > 0 ? alike : sizes).toSorted((a, b) => area(a) - area(b));
  const enough = ordered.find(
    ({ width, height }) => width >= wanted.width && height >= wanted.height,
  );
  return enough ?? ordered.at(-1) ?? null;
}

/** What is asked for, where any size may be. */
export function boundedSize({ width, height, method }: ThumbnailSize): ThumbnailSize {
  return { width: Math.min(width, sideMax), height: Math.min(height, sideMax), method };
}
