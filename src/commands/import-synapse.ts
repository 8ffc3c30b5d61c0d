import type { Command } from 'commander';
import { openStorage } from '../apps/open-storage.ts';
import { loadConfig, type Config } from '../config/config.ts';
import { readSigningKey } from '../config/signing-key-file.ts';
import { lastStreamPosition } from '../database/positions.ts';
import { systemClock } from '../kernel/clock.ts';
import { createLog } from '../kernel/log.ts';
import { createLocalBus } from '../streams/bus.ts';
import {
  createTargetStore,
  importSynapse,
  openSource,
  readSynapseConfig,
  type SynapseConfig,
} from '../synapse-import/module.ts';
import { collect } from './config-paths.ts';

interface GivenOptions {
  configPath: string[];
  from: string[];
  media: boolean;
  continue?: boolean;
}

/** What must be the same here as there, for what is taken over to be of use. */
async function differences(config: Config, synapse: SynapseConfig): Promise<string[]> {
  const found: string[] = [];
  if (config.serverName !== synapse.serverName) {
    found.push(`server_name is ${config.serverName}, that of Synapse is ${synapse.serverName}`);
  }
  const signingKey = await readSigningKey(config);
  const { id, publicKey } = synapse.signingKey;
  if (signingKey.id !== id || signingKey.publicKey !== publicKey) {
    found.push(`the signing key is another: set signing_key_path: ${synapse.signingKeyPath}`);
  }
  if (config.accounts.password.pepper !== synapse.pepper) {
    found.push('password_config.pepper is another: no password would be right any more');
  }
  return found;
}

async function run(options: GivenOptions): Promise<void> {
  const { config } = await loadConfig(options.configPath);
  const synapse = await readSynapseConfig(options.from);
  const wrong = await differences(config, synapse);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  const log = createLog('warn');
  const storage = await openStorage(config, log, () => undefined);
  try {
    const { database } = storage;
    const { isEmpty, isInUse } = await createTargetStore(database).state();
    if (!isEmpty && isInUse) throw new Error('the database is in use: take over into a new one');
    if (!isEmpty && !options.continue) {
      throw new Error('an import was stopped halfway: give --continue to go on with it');
    }
    const source = await openSource(synapse.database);
    const notes: string[] = [];
    try {
      let shownTs = 0;
      await importSynapse({
        source,
        database,
        bus: createLocalBus({
          position: await lastStreamPosition(database),
          ephemeralPosition: Date.now(),
          onReaderError: (error) => log.error({ err: error }, 'bug: a reader of streams failed'),
        }),
        clock: systemClock,
        serverName: config.serverName,
        signingKey: await readSigningKey(config),
        storage: config.media,
        mediaFolder: options.media ? synapse.mediaFolder : null,
        done: (step, count) => console.log(`${String(count).padStart(9)} ${step}`),
        progress(done, all, events) {
          const now = Date.now();
          if (now - shownTs < progressMs && done < all) return;
          shownTs = now;
          console.log(`          ${done} of ${all} rooms, ${events} events`);
        },
        note: (text) => notes.push(text),
      });
    } finally {
      await source.close();
    }
    for (const text of notes) console.log(`note: ${text}`);
    console.log('taken over; start the server, and leave Synapse stopped');
  } finally {
    await storage.close();
  }
}

/** How often the rooms are told of. */
const progressMs = 5_000;

export function addImportSynapse(program: Command): void {
  program
    .command('import-synapse')
    .description('take over the accounts, rooms and media of a stopped Synapse of the same name')
    .requiredOption(
      '-c, --config-path <path>',
      'of this server; may be given many times',
      collect,
      [],
    )
    .requiredOption(
      '--from <path>',
      'homeserver.yaml of Synapse; may be given many times',
      collect,
      [],
    )
    .option('--no-media', 'leave the media where they are')
    .option('--continue', 'after an import that was stopped: what is there already stays')
    .action((options: GivenOptions) => run(options));
}
