/** The full paths of a media endpoint without authentication, under every prefix that clients use. */
export const mediaPaths = (path: string): string[] =>
  ['v3', 'r0', 'v1'].map((prefix) => `/_matrix/media/${prefix}${path}`);

/** The full paths of a media endpoint that takes an access token. */
export const authedPaths = (path: string): string[] => [
  `/_matrix/client/v1/media${path}`,
  `/_matrix/client/unstable/org.matrix.msc3916/media${path}`,
];
