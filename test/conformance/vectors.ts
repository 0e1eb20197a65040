import { readFileSync, writeFileSync } from 'node:fs';
import { toHex } from '../../apdu/octets.ts';
import { TEST_KEY_SET } from '../../apdu/secure-channel/test-key-set.ts';
import * as messages from './messages/messages.ts';
import type { Beginning, Step } from './tester.ts';

/** A case as a file of vectors keeps it. */
export interface VectorCase {
  readonly name: string;
  readonly from: Beginning;
  /** As in `Case`. */
  readonly platform?: true;
  readonly steps: readonly Step[];
}

/** One file of vectors: complete in itself. */
export interface VectorFile {
  readonly about: readonly string[];
  /** What a module has gone through before a case begins. */
  readonly beginnings: Readonly<Record<Beginning, readonly Step[]>>;
  readonly cases: readonly VectorCase[];
}

const ABOUT = [
  'Commands to a decode module of version 1 (firmware-notes/protocol.md) and the only right answers, in hexadecimal.',
  'Each case starts with a new, blank, powered module and the steps of the beginning it is "from". A step is [command, answer], or "reset":',
  'the power goes and comes. After "cut before" the power fails before the next command does anything, after "cut after" when it has done',
  'everything but answer; the answer is null then, and the module is powered again. Keys and ids: given.json. In a case of "platform"',
  "some answers are those of the simulated cards themselves, and not the module's: another Java Card may answer otherwise there.",
];

function findPath(topic: string): URL {
  return new URL(`../vectors/decode-module/${topic}.json`, import.meta.url);
}

export function readVectors(topic: string): VectorFile {
  return JSON.parse(readFileSync(findPath(topic), 'utf8')) as VectorFile;
}

/** One step a line. */
export function writeVectors(topic: string, file: Omit<VectorFile, 'about'>): void {
  const lines = (steps: readonly Step[], indent: string): string =>
    steps.map((step) => `\n${indent}${JSON.stringify(step)}`).join(',');
  const beginnings = Object.entries(file.beginnings).map(
    ([name, steps]) => `\n    ${JSON.stringify(name)}: [${lines(steps, '      ')}\n    ]`,
  );
  const cases = file.cases.map(
    ({ name, from, platform, steps }) =>
      `\n    {\n      "name": ${JSON.stringify(name)},\n      "from": ${JSON.stringify(from)},\n${platform === true ? '      "platform": true,\n' : ''}      "steps": [${lines(steps, '        ')}\n      ]\n    }`,
  );
  const about = ABOUT.map((line) => `\n    ${JSON.stringify(line)}`).join(',');
  writeFileSync(
    findPath(topic),
    `{\n  "about": [${about}\n  ],\n  "beginnings": {${beginnings.join(',')}\n  },\n  "cases": [${cases.join(',')}\n  ]\n}\n`,
  );
}

/** What the messages in the vectors are made of. */
export function writeGiven(): void {
  const { CARD_ID, CARD_KEYS, CEILINGS } = messages;
  const { service, segment, content } = messages.PLAYING_KEYS;
  const { version, enc, mac, dek } = TEST_KEY_SET;
  const keys = {
    about: [
      'The keys behind the vectors of this folder. A service, segment or content key is the ASCII of k, its kind in hexadecimal, a point, the',
      'service, a point, the key id, filled up with points to 16 octets; those of "playing":',
    ],
    module: {
      about: 'A module with P-256, installed with this key set; see the page, 2.1 and 9.',
      channelKeys: { version, enc: toHex(enc), mac: toHex(mac), dek: toHex(dek) },
      p256: true,
      maxSpan: 208,
      maxCommandData: 255,
    },
    cardId: toHex(CARD_ID),
    cardKeys: Object.fromEntries(Object.entries(CARD_KEYS).map(([name, key]) => [name, toHex(key)])),
    currency: messages.USD,
    maximumBalance: Number(messages.MAXIMUM),
    ceilings: Object.fromEntries(Object.entries(CEILINGS).map(([name, value]) => [name, Number(value)])),
    playing: {
      service: messages.SERVICE,
      serviceKey: { id: messages.SERVICE_KEY_ID, key: toHex(service) },
      segmentKey: { id: messages.SEGMENT_KEY_ID, key: toHex(segment) },
      contentKey: { id: messages.CONTENT_KEY_ID, key: toHex(content) },
      ssrcs: [messages.SSRC, messages.SECOND_SSRC],
      from: messages.START,
      to: messages.END,
    },
  };
  writeFileSync(findPath('given'), `${JSON.stringify(keys, undefined, 2)}\n`);
}
