import packageJson from '../../package.json' with { type: 'json' };

/** The version of Lattice. */
export const version: string = packageJson.version;
