/** What media are configured by. */
export interface MediaConfig {
  serverName: string;
  /** New media are served only to those who have an account. */
  isAuthenticated: boolean;
  uploadBytesMax: number;
  uploadLimits: readonly UploadLimit[];
  /** Ids of one user that nothing was uploaded to yet. */
  pendingMax: number;
  /** How long something can be uploaded to a new id. */
  unusedMs: number;
  /** Images with more are not looked into. */
  pixelsMax: number;
  thumbnails: { isDynamic: boolean; sizes: readonly ThumbnailSize[] };
  /** Servers whose media are not served, even if they are here. */
  deniedServers: readonly string[];
  /** How much is fetched from other servers for one client's address. */
  remoteDownloads: { bytesPerSecond: number; burstBytes: number };
  /** How long media are kept that nobody looks at; null: for ever. */
  keptMs: { local: number | null; remote: number | null };
}

export interface UploadLimit {
  periodMs: number;
  bytesMax: number;
}

export interface ThumbnailSize {
  width: number;
  height: number;
  /** `crop`: exactly so large; `scale`: with the image's proportions, at most so large. */
  method: 'crop' | 'scale';
}
