/** Versions of the specification, oldest first, that clients may speak. */
export const knownVersions: readonly string[] = [
  'r0.0.1', 'r0.1.0', 'r0.2.0', 'r0.3.0', 'r0.4.0', 'r0.5.0', 'r0.6.0', 'r0.6.1',
  'v1.1', 'v1.2', 'v1.3', 'v1.4', 'v1.5', 'v1.6', 'v1.7', 'v1.8', 'v1.9', 'v1.10', 'v1.11',
  'v1.12', 'v1.13', 'v1.14', 'v1.15', 'v1.16', 'v1.17', 'v1.18', 'v1.19',
];

/** Proposals that clients ask for by name. */
export const unstableFeatures: Readonly<Record<string, boolean>> = {
  'org.matrix.msc3030': true,
  'org.matrix.msc2432': true,
  'org.matrix.msc3773': true,
  'org.matrix.msc3827.stable': true,
  'org.matrix.msc4222': true,
  'uk.tcpip.msc4133': true,
  'uk.tcpip.msc4133.stable': true,
};
