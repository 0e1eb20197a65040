/** Clear RTP packets in order. Payloads lie end to end, so that a stream of them needs no copying; headers likewise. */
export interface ClearPackets {
  readonly payload: Uint8Array;
  /** Where each packet's payload ends in `payload`. */
  readonly payloadEnds: readonly number[];
  readonly headers: Uint8Array;
  /** Where each packet's RTP header ends in `headers`. */
  readonly headerEnds: readonly number[];
  /** Whether they begin with the first packets that the sender sent. */
  readonly isStart?: boolean;
}

/** Octets of memory for payloads at the start. */
const FIRST_ROOM = 256 * 1024;

/** Gathers clear packets in memory that is used again and again. */
export class ClearWriter {
  #payload = new Uint8Array(FIRST_ROOM);
  #headers = new Uint8Array(FIRST_ROOM / 16);
  #payloadAt = 0;
  #headersAt = 0;
  #payloadEnds: number[] = [];
  #headerEnds: number[] = [];

  /** Packets since the last `clear`. */
  get packets(): number {
    return this.#payloadEnds.length;
  }

  /** Octets of their payload. */
  get octets(): number {
    return this.#payloadAt;
  }

  /**
   * Memory for the payload of the next packet, which begins at `octets`.
   * @param length octets that it has at most.
   */
  reserve(length: number): Uint8Array {
    const end = this.#payloadAt + length;
    if (end > this.#payload.length) this.#payload = enlarge(this.#payload, end);
    return this.#payload;
  }

  /**
   * Adds a packet whose payload was written to the memory that `reserve` gave, from `octets` on.
   * @param packet begins with the RTP header.
   * @param head octets of the header.
   * @param octets of the payload.
   */
  push(packet: Uint8Array, head: number, octets: number): void {
    let at = this.#headersAt;
    if (at + head > this.#headers.length) this.#headers = enlarge(this.#headers, at + head);
    for (let i = 0; i < head; i++) this.#headers[at++] = packet[i]!;
    this.#headersAt = at;
    this.#payloadAt += octets;
    this.#headerEnds.push(at);
    this.#payloadEnds.push(this.#payloadAt);
  }

  /** The packets since the last `clear`; valid until another method is called. */
  get written(): ClearPackets {
    return {
      payload: this.#payload.subarray(0, this.#payloadAt),
      payloadEnds: this.#payloadEnds,
      headers: this.#headers.subarray(0, this.#headersAt),
      headerEnds: this.#headerEnds,
    };
  }

  /** Keeps this many packets, the first ones, and takes the others back. */
  truncate(packets: number): void {
    this.#payloadEnds.length = packets;
    this.#headerEnds.length = packets;
    this.#payloadAt = this.#payloadEnds.at(-1) ?? 0;
    this.#headersAt = this.#headerEnds.at(-1) ?? 0;
  }

  clear(): void {
    this.truncate(0);
  }
}

function enlarge(memory: Uint8Array, minOctets: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(2 * memory.length, minOctets));
  larger.set(memory);
  return larger;
}

/** Each packet with header and payload, as RTP sends it. */
export function* joinRtpPackets(clear: ClearPackets): Generator<Uint8Array> {
  let payloadAt = 0;
  let headerAt = 0;
  for (let i = 0; i < clear.payloadEnds.length; i++) {
    const payloadEnd = clear.payloadEnds[i]!;
    const headerEnd = clear.headerEnds[i]!;
    const packet = new Uint8Array(headerEnd - headerAt + payloadEnd - payloadAt);
    packet.set(clear.headers.subarray(headerAt, headerEnd));
    packet.set(clear.payload.subarray(payloadAt, payloadEnd), headerEnd - headerAt);
    yield packet;
    payloadAt = payloadEnd;
    headerAt = headerEnd;
  }
}
