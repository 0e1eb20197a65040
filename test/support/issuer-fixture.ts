import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CardChannel } from '../../apdu/card-channel.ts';
import { decodeCardId } from '../../apdu/decode-module/card-id.ts';
import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { deriveCardKey } from '../../apdu/decode-module/keys/card-keys.ts';
import { encodeCeilings } from '../../apdu/decode-module/keys/ceilings.ts';
import { encodeContentTerms } from '../../apdu/decode-module/keys/content-terms.ts';
import { sealKeyMessage } from '../../apdu/decode-module/keys/key-message.ts';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { type CardHeader, makeContentCiphers, sealCardPart } from '../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../apdu/decode-module/working-keys.ts';
import { CardGoneError } from '../../apdu/errors.ts';
import type { CardStore } from '../../card-sim/index.ts';
import { Accounts } from '../../host/issuer/cards/accounts.ts';
import { createStore, KeyStore } from '../../host/issuer/keys/key-store.ts';

/** An issuer with a store of its own, in a directory that goes with it. */
export interface IssuerFixture {
  readonly store: string;
  accounts: Accounts;
  readonly keys: KeyStore;
  close(): Promise<void>;
}

export const PASSPHRASE = 'only for the tests of this issuer';

/** @param issuer u24. */
export async function startIssuer(issuer: number): Promise<IssuerFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'tollcast-issuer-'));
  const store = join(directory, 'issuer');
  // 14: the least that a store may cost.
  await createStore(store, issuer, PASSPHRASE, 14);
  const fixture: IssuerFixture = {
    store,
    accounts: await Accounts.open(store),
    keys: new KeyStore(store, async () => PASSPHRASE),
    async close() {
      await fixture.accounts.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return fixture;
}

/** Memory of a soft card, in which a copy of another one's may lie. */
export function makeCardMemory(image?: Uint8Array): CardStore {
  let kept = image?.slice();
  return {
    load: () => kept,
    save(next) {
      kept = next.slice();
    },
  };
}

/** What goes wrong with a command: it never reaches the card, its answer never reaches us, or its answer is changed. */
export type Fault = 'command lost' | 'answer lost' | ((answer: Uint8Array) => Uint8Array);

/** A channel on which one command can go wrong, and which remembers what went over it. */
export class FaultyChannel implements CardChannel {
  readonly atr: Uint8Array;
  readonly sent: Uint8Array[] = [];
  readonly #channel: CardChannel;
  readonly #faults = new Map<number, { readonly fault: Fault; after: number }>();

  constructor(channel: CardChannel) {
    this.#channel = channel;
    this.atr = channel.atr;
  }

  /** @param ins instruction octet of the command that is to go wrong, once. @param after so many that go well. */
  fail(ins: number, fault: Fault, after = 0): void {
    this.#faults.set(ins, { fault, after });
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    const ins = command[1] ?? 0;
    const planned = this.#faults.get(ins);
    const fault = planned !== undefined && planned.after-- === 0 ? planned.fault : undefined;
    if (fault !== undefined) this.#faults.delete(ins);
    if (fault === 'command lost') throw new CardGoneError();
    this.sent.push(command.slice());
    const answer = await this.#channel.transmit(command);
    if (fault === 'answer lost') throw new CardGoneError();
    return fault === undefined ? answer : fault(answer);
  }

  close(): Promise<void> {
    return this.#channel.close();
  }
}

const SERVICE = 5;
const SSRC = 0x1000;
let messages = 1_000_000;

/** What is watched; micro-units. */
export interface WatchedService {
  readonly price?: bigint;
  readonly quantum?: bigint;
  /** Of all groups, seconds since 1970; 1000 when left out. */
  readonly mediaTime?: number;
  readonly onGroup?: (header: CardHeader) => Promise<void> | undefined;
}

/**
 * Opens a session at 0.25 a megabyte with quanta of 1.00, and has the card open groups in it. The session stays open.
 * @param groups octets of each, 1,000,000 for a quarter of a unit.
 * @param onGroup told of each group before the card opens it.
 */
export async function watch(
  module: DecodeModule,
  uniqueMaster: Uint8Array,
  cardId: Uint8Array,
  groups: readonly number[],
  { price = 250_000n, quantum = 1_000_000n, mediaTime = 1000, onGroup }: WatchedService = {},
): Promise<void> {
  const unique = deriveCardKey(uniqueMaster, 'downlink', cardId);
  const serviceKey = new Uint8Array(16).fill(1);
  const contentKey = new Uint8Array(16).fill(2);
  const validity = { service: SERVICE, from: 0, to: 0xffff_ffff };
  // Every call is a new content key on a stream that goes on.
  const contentId = ++messages;
  const ceilings = { perMegabyte: 1_000_000n, perHour: 0n, flat: 0n, groupOctets: 4_000_000, groupDuration: 1000 };
  await module.select();
  await module.loadKey(
    sealKeyMessage(
      {
        ...validity,
        kind: KIND.service,
        keyId: 1,
        number: ++messages,
        parentKind: KIND.unique,
        parentId: decodeCardId(cardId).serial,
      },
      serviceKey,
      encodeCeilings({ ...ceilings, quantum }),
      unique,
    ).octets,
  );
  const terms = {
    tariff: { kind: 'octets', price },
    classes: { card: true, soft: true },
    segmentId: 1,
    ssrcs: [SSRC],
    masterSalt: new Uint8Array(12),
  } as const;
  await module.loadKey(
    sealKeyMessage(
      { ...validity, kind: KIND.content, keyId: contentId, number: 0, parentKind: KIND.service, parentId: 1 },
      contentKey,
      encodeContentTerms(terms),
      serviceKey,
    ).octets,
  );
  await module.openSession(SERVICE);
  const ciphers = makeContentCiphers(deriveWorkingKeys(KIND.content, SERVICE, contentId, contentKey));
  for (const octets of groups) {
    const header = {
      mode: 'sealed',
      spanBlocks: 1,
      packets: 1,
      octets,
      duration: 0,
      mediaTime,
      contentKeyId: contentId,
      index: 1,
      ssrc: SSRC,
      group: ++messages,
    } as const;
    await onGroup?.(header);
    await module.decode(sealCardPart(header, new Uint8Array(16).fill(9), ciphers));
  }
}
