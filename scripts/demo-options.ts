/** As the command line gives them, and where the demo may put its files. */
export interface DemoOptions {
  readonly card?: string;
  readonly source?: string;
  readonly every: number;
  readonly span: number;
  readonly mode: string;
  readonly price: string;
  /** bit/s. */
  readonly rate?: number;
  readonly json?: true;
  readonly folder: string;
  readonly signal: AbortSignal;
}
