import { SoftCard } from '../../../card-sim/index.ts';
import { TcpCardServer } from './tcp-card-server.ts';

/** What a card says instead of what it should. */
export interface Lying {
  /** @returns the answer that goes out. */
  answer?(command: Uint8Array, answer: Uint8Array): Uint8Array;
  /** Goes back to its memory of before the open session whenever it is switched on. */
  readonly forgetsSessions?: true;
}

const OPEN_SESSION = 0x30;
const CLOSE_SESSION = 0x32;
const SELECT = 0xa4;

/** A soft module behind TCP with something wrong with it; `answer` sees each command and the right answer. */
export async function startLiar(lying: Lying): Promise<TcpCardServer> {
  let image: Uint8Array | undefined;
  let before: Uint8Array | undefined;
  const store = { load: () => image, save: (next: Uint8Array) => (image = next.slice()) };
  let card = new SoftCard(store);
  return TcpCardServer.listen((payload) => {
    if (payload.length > 1) {
      const ins = payload[1];
      if (ins === OPEN_SESSION) before = image;
      if (ins === CLOSE_SESSION || ins === SELECT) before = undefined;
      const answer = card.transmit(payload);
      return lying.answer?.(payload, answer) ?? answer;
    }
    if (payload[0] === 4) return card.powerOn();
    if (payload[0] === 1 && before !== undefined && lying.forgetsSessions === true) {
      image = before;
      card = new SoftCard(store);
    }
    return undefined;
  });
}
