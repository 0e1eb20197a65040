/** What the header of a frame says. */
export interface AudioFrame {
  /** Octets with the header. */
  readonly length: number;
  readonly samples: number;
  /** Samples in a second. */
  readonly rate: number;
  /** The same in all frames of a stream. */
  readonly kind: string;
}
