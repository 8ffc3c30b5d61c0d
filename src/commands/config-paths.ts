import { InvalidArgumentError, type Command } from 'commander';

/** Gathers an option that may be given many times. */
export const collect = (value: string, before: string[]) => [...before, value];

/** Lets a command take configuration paths as arguments and as `--config-path`. */
export function takesConfigPaths(command: Command): Command {
  return command
    .argument('[paths...]', 'configuration files or folders; later ones win')
    .option('-c, --config-path <path>', 'the same, as serve takes it', collect, []);
}

/** Exits when there is none. */
export function configPathsOf(
  paths: readonly string[],
  options: { configPath: string[] },
  command: Command,
): string[] {
  const all = [...options.configPath, ...paths];
  if (all.length === 0) command.error('error: give a configuration file or folder');
  return all;
}

const portMax = 65_535;

export function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > portMax) {
    throw new InvalidArgumentError(`A port is a number from 0 to ${portMax}.`);
  }
  return port;
}
