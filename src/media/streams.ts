import { defineStream } from '../streams/define-stream.ts';

/** Something was uploaded to an id that was made before. Lost rows only make a download wait longer. */
export interface UploadedRow {
  mediaId: string;
}

export const uploadedStream = defineStream<UploadedRow>({
  name: 'media_uploaded',
  durable: false,
  shardedBy: 'none',
});
