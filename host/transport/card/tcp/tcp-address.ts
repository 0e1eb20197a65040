/** Where a card runner listens. */
export interface TcpAddress {
  readonly host: string;
  /** 1..65,535 */
  readonly port: number;
}
