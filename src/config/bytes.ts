import { kind } from './kinds.ts';

const unitsBytes: Record<string, number> = {
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** Bytes, or another count of that size; `50M`, `500MiB`, `10K`, or a number. Units are of 1024. */
export const byteCount = kind('a size such as 10K, 50M, 2G or a number of bytes', (value) => {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? value : undefined;
  const match = typeof value === 'string' && /^(\d+)(?:([KMGT])(?:i?B)?)?$/.exec(value.trim());
  return match ? Number(match[1]) * (match[2] ? unitsBytes[match[2]]! : 1) : undefined;
});
