import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cmac } from '@noble/ciphers/aes.js';
import { describe, expect, it } from 'vitest';
import { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { STATUS } from '../../apdu/decode-module/module-status.ts';
import { signLoadOrder } from '../../apdu/decode-module/money/credit-load.ts';
import { encodeCardKeys, encodeCardProfile } from '../../apdu/decode-module/personalisation.ts';
import { parseResponse } from '../../apdu/iso7816/response-apdu.ts';
import { concat, fromHex, toHex } from '../../apdu/octets.ts';
import { CARD_KINDS, startCard } from '../../card-sim/index.ts';
import { activate } from '../support/cards/activate.ts';
import { makeFixedKey } from './messages/messages.ts';

/**
 * Section 10 of the page, recomputed from sections 1 to 6 with Node's ciphers and nothing of ours but hexadecimal: what
 * a second person would do with the page in hand.
 */
const PAGE = readFileSync(new URL('../../firmware-notes/protocol.md', import.meta.url), 'utf8');

function readExample(page: string): Map<string, Uint8Array> {
  const section = page.split('\n## ').find((text) => text.startsWith('10. Worked example')) ?? '';
  const found = new Map<string, string>();
  let name = '';
  for (const line of section.split('\n')) {
    const [, label, hex] = /^ {4}(.{22})([0-9a-f ]+)$/.exec(line) ?? [];
    if (label === undefined || hex === undefined) continue;
    name = label.trim() || name;
    expect(label.trim() !== '' && found.has(name)).toBe(false);
    found.set(name, (found.get(name) ?? '') + hex);
  }
  return new Map([...found].map(([key, hex]) => [key, fromHex(hex)]));
}

const example = readExample(PAGE);

function readGiven(name: string): Uint8Array {
  const octets = example.get(name);
  if (octets === undefined) throw new Error(`the worked example has no line "${name}"`);
  return octets;
}

const ZERO = new Uint8Array(16);

function cbc(key: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-cbc', key, ZERO).setAutoPadding(false);
  return Uint8Array.from(cipher.update(data));
}

function mac(key: Uint8Array, data: Uint8Array, length: number): Uint8Array {
  return cbc(key, data).slice(-16).slice(0, length);
}

function splitHalves(kindServiceId: string, key: Uint8Array): [encryption: Uint8Array, mac: Uint8Array] {
  const digest = createHash('sha256').update(fromHex(kindServiceId)).update(key).digest();
  return [Uint8Array.from(digest.subarray(0, 16)), Uint8Array.from(digest.subarray(16))];
}

function expectHalves(name: string, kindServiceId: string): void {
  const [encryption, macKey] = splitHalves(kindServiceId, readGiven(`${name} key`));
  expect(toHex(encryption)).toBe(toHex(readGiven(`${name}, encryption`)));
  expect(toHex(macKey)).toBe(toHex(readGiven(`${name}, MAC`)));
}

/** Wraps a key, and puts header, wrapped key, body and tag together. */
function buildKeyMessage(header: string, key: string, body: string, parent: string, tag: number): Uint8Array {
  const wrapped = cbc(readGiven(`${parent}, encryption`), readGiven(`${key} key`));
  const untagged = concat(fromHex(header), wrapped, fromHex(body));
  return concat(untagged, mac(readGiven(`${parent}, MAC`), untagged, tag));
}

/** RFC 3711 4.3.3: AES in counter mode over the salt with the label, the salt filled up to 14 octets. */
function derive(label: number, length: number): Uint8Array {
  const counter = new Uint8Array(16);
  counter.set(readGiven('master salt of the page'));
  counter[7]! ^= label;
  const cipher = createCipheriv('aes-128-ctr', readGiven('group key'), counter);
  return Uint8Array.from(cipher.update(new Uint8Array(length)));
}

function gcm(iv: Uint8Array, aad: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-gcm', readGiven('session key'), iv).setAAD(aad);
  return concat(cipher.update(data), cipher.final(), cipher.getAuthTag());
}

function computeIv(ssrcRocSequence: string): Uint8Array {
  const salt = readGiven('session salt');
  return fromHex(`0000${ssrcRocSequence}`).map((octet, index) => octet ^ salt[index]!);
}

example.set('master salt of the page', readGiven('content message').slice(72, 84));

describe('the worked example of the page', () => {
  it('derives the downlink key', () => {
    const input = concat(
      fromHex('01'),
      new TextEncoder().encode('downlink/card'),
      fromHex('00'),
      readGiven('card id'),
      fromHex('0080'),
    );
    expect(toHex(cmac(input, readGiven('unique master')))).toBe(toHex(readGiven('downlink key')));
    expectHalves('downlink', '01 00000000 00000007');
  });

  it('wraps the service, segment and content key', () => {
    const service = buildKeyMessage(
      '10 01 0060 00000001 00000001 65920080 65935200 00000001 01 00 0000 00000007',
      'service',
      '000f4240 004c4b40 00000000 0186a0 002710 00000003d090 0000000000000000',
      'downlink',
      16,
    );
    expect(toHex(service)).toBe(toHex(readGiven('service message')));
    expectHalves('service', '10 00000001 00000001');
    const segment = buildKeyMessage(
      '11 01 0038 00000001 00000002 65920080 65920e90 00000000 10 00 0000 00000001',
      'segment',
      '',
      'service',
      8,
    );
    expect(toHex(segment)).toBe(toHex(readGiven('segment message')));
    expectHalves('segment', '11 00000001 00000002');
    const content = buildKeyMessage(
      '12 01 0068 00000001 00000003 65920080 659201ac 00000000 11 00 0000 00000002',
      'content',
      '01 00 03 01 0003d090 00000002 00000000 11223344 11223344 a0a1a2a3a4a5a6a7a8a9aaab 000000000000000000000000',
      'segment',
      8,
    );
    expect(toHex(content)).toBe(toHex(readGiven('content message')));
    expectHalves('content', '12 00000001 00000003');
  });

  it('makes the card part and the DECODE command', () => {
    const clear = concat(readGiven('group key'), readGiven('first payload').subarray(0, 48));
    expect(toHex(clear)).toBe(toHex(readGiven('span in clear')));
    const header = fromHex('20 24 0002 000050 000028 65920085 00000003 000000000001 11223344 00000001');
    expect(toHex(header)).toBe(toHex(readGiven('header')));
    const span = cbc(readGiven('content, encryption'), clear);
    expect(toHex(span)).toBe(toHex(readGiven('span')));
    const tag = mac(readGiven('content, MAC'), concat(header, span), 8);
    expect(toHex(tag)).toBe(toHex(readGiven('tag')));
    expect(toHex(concat(fromHex('803a000068'), header, span, tag, fromHex('00')))).toBe(toHex(readGiven('DECODE')));
    const decipher = createDecipheriv('aes-128-cbc', readGiven('content, encryption'), ZERO).setAutoPadding(false);
    expect(toHex(concat(decipher.update(span), fromHex('9000')))).toBe(toHex(readGiven('answer')));
  });

  it('seals the two packets', () => {
    expect(toHex(derive(0, 16))).toBe(toHex(readGiven('session key')));
    expect(toHex(derive(2, 12))).toBe(toHex(readGiven('session salt')));
    const firstIv = computeIv('11223344 00000000 0001');
    expect(toHex(firstIv)).toBe(toHex(readGiven('first IV')));
    const sent = concat(readGiven('header').subarray(0, 24), readGiven('span'), readGiven('tag'));
    const firstHead = concat(fromHex('80 21 0001 00000000 11223344'), sent);
    const rest = gcm(firstIv, firstHead, readGiven('first payload').subarray(48));
    expect(toHex(concat(firstHead, rest, fromHex('80000001')))).toBe(toHex(readGiven('card packet')));
    const secondIv = computeIv('11223344 00000000 0002');
    expect(toHex(secondIv)).toBe(toHex(readGiven('second IV')));
    const secondHead = fromHex('80 21 0002 00000000 11223344');
    const gap = concat(secondHead, gcm(secondIv, secondHead, readGiven('second payload')), fromHex('00000001'));
    expect(toHex(gap)).toBe(toHex(readGiven('gap packet')));
  });

  it.each(CARD_KINDS)('is what the module on %s answers', async (kind) => {
    await using card = await startCard({ kind });
    const channel = await card.channel();
    try {
      const module = new DecodeModule(channel);
      await module.select();
      const loadIn = makeFixedKey('load-in');
      const rest = { uplink: ZERO, receipt: ZERO, acknowledgement: ZERO, 'load-in': loadIn, 'load-out': ZERO };
      const cardId = readGiven('card id');
      const limits = { currency: 840, maximumBalance: 1_000_000n, maximumUnacknowledged: 1_000_000n };
      const keys = encodeCardKeys({ downlink: readGiven('downlink key'), ...rest });
      await activate(channel, encodeCardProfile({ cardId, ...limits }), keys);
      const order = { cardId, number: 1, currency: 840, amount: 1_000_000n, loadId: new Uint8Array(8) };
      await module.loadCredit(signLoadOrder(order, loadIn));
      for (const name of ['service', 'segment', 'content']) await module.loadKey(readGiven(`${name} message`));
      await module.openSession(1);
      const answer = await channel.transmit(readGiven('DECODE'));
      expect(parseResponse(answer).status).toBe(STATUS.DONE);
      expect(toHex(answer)).toBe(toHex(readGiven('answer')));
      expect(await module.getPurse()).toMatchObject({ usedTicks: 360_000_000n, used: 20n, taken: 250_000n });
    } finally {
      await channel.close();
    }
  });
});
