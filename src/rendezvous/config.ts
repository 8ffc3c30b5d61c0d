/** How devices are signed in by other devices. */
export interface RendezvousConfig {
  /** The channels of MSC4108; null: off. */
  msc4108: { publicBaseUrl: string } | null;
  /** The channels of MSC4388, and who may open them; null: off. */
  msc4388: { needsAccount: boolean } | null;
}
