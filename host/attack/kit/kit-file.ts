import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type CardKeyName,
  CARD_KEYS,
  deriveCardKey,
  type MasterName,
} from '../../../apdu/decode-module/keys/card-keys.ts';
import type { CardKeySet } from '../../../apdu/decode-module/personalisation.ts';
import { fromHex, toHex } from '../../../apdu/octets.ts';
import { AttackError } from './attack-error.ts';

/** A card that the kit made, as one run of the kit sees it. */
export interface KitCard {
  readonly keys: CardKeySet;
  /** Runs before this one. */
  readonly runs: number;
}

interface Entry {
  /** 16 octets each, in hexadecimal. */
  readonly masters: Readonly<Record<MasterName, string>>;
  readonly runs: number;
}

/** Keeps the masters of the cards that the kit made. Each card has its own; they guard nothing of value. */
export class KitFile {
  readonly #path: string | undefined;
  readonly #cards: Map<string, Entry>;

  /**
   * @param path the file; nothing is kept where it is left out.
   * @throws AttackError `KIT_FILE`.
   */
  constructor(path?: string) {
    this.#path = path;
    this.#cards = new Map(path === undefined ? [] : Object.entries(readCards(path)));
  }

  has(cardId: Uint8Array): boolean {
    return this.#cards.has(toHex(cardId));
  }

  /** Draws the masters of a new card and saves them, before any of them is on the card. */
  add(cardId: Uint8Array): void {
    this.#put(cardId, {
      masters: {
        unique: drawMaster(),
        uplink: drawMaster(),
        receipt: drawMaster(),
        load: drawMaster(),
        personalisation: drawMaster(),
      },
      runs: 0,
    });
  }

  /** Starts a run and returns the card's keys. The count of runs is saved first: no two runs share message numbers. */
  startRun(cardId: Uint8Array): KitCard {
    const entry = this.#cards.get(toHex(cardId));
    if (entry === undefined) throw new AttackError('NOT_OURS', 'this card was not made by the kit; insert a blank one');
    this.#put(cardId, { ...entry, runs: entry.runs + 1 });
    const key = (name: CardKeyName) => deriveCardKey(fromHex(entry.masters[CARD_KEYS[name]]), name, cardId);
    const keys = {
      downlink: key('downlink'),
      uplink: key('uplink'),
      receipt: key('receipt'),
      acknowledgement: key('acknowledgement'),
      'load-in': key('load-in'),
      'load-out': key('load-out'),
    };
    return { keys, runs: entry.runs };
  }

  #put(cardId: Uint8Array, entry: Entry): void {
    this.#cards.set(toHex(cardId), entry);
    if (this.#path === undefined) return;
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const beside = `${this.#path}.new`;
    writeFileSync(beside, `${JSON.stringify({ cards: Object.fromEntries(this.#cards) }, undefined, 1)}\n`, {
      mode: 0o600,
    });
    renameSync(beside, this.#path);
  }
}

/** Draws 16 octets, in hexadecimal. */
function drawMaster(): string {
  return toHex(randomBytes(16));
}

function readCards(path: string): Record<string, Entry> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return {};
    throw describeDamage(path, cause);
  }
  try {
    const cards: unknown = readField(JSON.parse(text), 'cards');
    if (typeof cards !== 'object' || cards === null) throw new TypeError('no cards');
    return Object.fromEntries(Object.entries(cards).map(([id, entry]) => [id, readEntry(entry)]));
  } catch {
    // The cause is left out because it could quote a key.
    throw describeDamage(path);
  }
}

function readEntry(value: unknown): Entry {
  const masters = readField(value, 'masters');
  const runs = readField(value, 'runs');
  const master = (name: MasterName): string => {
    const text = String(readField(masters, name));
    if (!/^[0-9a-f]{32}$/.test(text)) throw new TypeError(`no master ${name}`);
    return text;
  };
  if (typeof runs !== 'number' || !Number.isInteger(runs) || runs < 0) throw new TypeError('no runs');
  const unique = master('unique');
  return {
    masters: {
      unique,
      // A card of an older kit has an uplink key of the unique master.
      uplink: readField(masters, 'uplink') === undefined ? unique : master('uplink'),
      receipt: master('receipt'),
      load: master('load'),
      personalisation: master('personalisation'),
    },
    runs,
  };
}

function readField(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function describeDamage(path: string, cause?: unknown): AttackError {
  const text = `${path} is not a file of the attack kit, or cannot be read; name another one with --kit`;
  return new AttackError('KIT_FILE', text, cause === undefined ? {} : { cause });
}
