/** A device that has synced lately. */
export class DeviceView {
  readonly deviceNid: number;
  /** Position of the newest message in its inbox; 0: there is none. */
  inboxPos = 0;
  /** No message in the inbox is before this position; Infinity: there is none. */
  inboxStartPos = Infinity;
  /** Everything up to here has arrived: it is deleted, or about to be. */
  acknowledgedPos = 0;
  /** What syncs say of its one-time keys, as members of a JSON object; null: to be read. */
  keysJson: string | null = null;
  /** Grows whenever the device's one-time keys change. */
  keyChanges = 0;
  /** Long polls to be woken. */
  readonly waiters = new Set<() => void>();
  /** Resolves when what was in the inbox before is known. */
  ready: Promise<void> = Promise.resolve();

  constructor(deviceNid: number) {
    this.deviceNid = deviceNid;
  }

  /** A message has come. */
  received(pos: number): void {
    this.inboxPos = Math.max(this.inboxPos, pos);
    this.inboxStartPos = Math.min(this.inboxStartPos, pos);
  }

  /** Whether messages may wait for a device that has what came up to a position. */
  hasMessages(afterPos: number): boolean {
    return this.inboxPos > Math.max(afterPos, this.acknowledgedPos);
  }

  keysChanged(): void {
    this.keysJson = null;
    this.keyChanges++;
  }
}
