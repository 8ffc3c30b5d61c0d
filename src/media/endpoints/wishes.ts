import { Type, type Static } from 'typebox';
import { MatrixError } from '../../kernel/errors.ts';
import type { ThumbnailWish } from '../thumbnails/thumbnails.ts';

/** How long somebody waits for an upload when it is not said, and at most. */
const timeoutMsDefault = 20_000;
const timeoutMsMax = 60_000;

export const waitQuery = Type.Object({ timeout_ms: Type.Optional(Type.Integer({ minimum: 0 })) });

export const waitMsOf = ({ timeout_ms: ms }: Static<typeof waitQuery>): number =>
  Math.min(ms ?? timeoutMsDefault, timeoutMsMax);

export const sizeQuery = Type.Object({
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  method: Type.Optional(Type.Union([Type.Literal('crop'), Type.Literal('scale')])),
  animated: Type.Optional(Type.Boolean()),
});

/** Throws M_INVALID_PARAM. */
export function thumbnailWish(query: Static<typeof sizeQuery>): ThumbnailWish {
  const { width, height, method = 'scale', animated = false } = query;
  if (method !== 'crop' && method !== 'scale') {
    throw new MatrixError('M_INVALID_PARAM', 'method must be crop or scale');
  }
  return { size: { width, height, method }, isAnimated: animated };
}

export const thumbnailName = (contentType: string) => `thumbnail.${contentType.split('/')[1]!}`;
