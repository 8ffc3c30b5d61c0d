import { MatrixError, type ErrorCode } from '../../kernel/errors.ts';

/** An error as it crosses processes. */
export interface WireFailure {
  name: string;
  message: string;
  /** Set for what a client is to see. */
  matrix?: { code: ErrorCode; status: number; extra: Record<string, unknown> };
}

export function toWireFailure(error: unknown): WireFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message } = error;
  if (!(error instanceof MatrixError)) return { name, message };
  const { code, status, extra } = error;
  return { name, message, matrix: { code, status, extra } };
}

export function fromWireFailure({ name, message, matrix }: WireFailure): Error {
  if (!matrix) return Object.assign(new Error(`in another process: ${message}`), { name });
  const { code, status, extra } = matrix;
  return new MatrixError(code, message, { status, extra });
}
