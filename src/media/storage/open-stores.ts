import { join } from 'node:path';
import { createDiskStore } from './disk-store.ts';
import type { MediaStore } from './media-store.ts';
import { createS3Store, type S3StoreOptions } from './s3-store.ts';
import { joinStores } from './several-stores.ts';
import { createTemporaryFiles, type TemporaryFiles } from './temporary-files.ts';

/** Where contents are kept. */
export interface StorageConfig {
  /** Of this machine, or of a file system that all processes share. */
  folder: string;
  /** New contents are kept in the folder; else they are only looked for there. */
  keepsLocally: boolean;
  /** Where new contents are kept besides. */
  objectStores: readonly S3StoreOptions[];
}

export interface Storage {
  contents: MediaStore;
  temporary: TemporaryFiles;
}

export function openStores({ folder, keepsLocally, objectStores }: StorageConfig): Storage {
  const temporary = createTemporaryFiles(join(folder, 'tmp'));
  const local = createDiskStore(folder);
  const others = objectStores.map((options) => createS3Store(options, temporary));
  const contents = keepsLocally ? joinStores([local, ...others]) : joinStores(others, [local]);
  return { contents, temporary };
}
