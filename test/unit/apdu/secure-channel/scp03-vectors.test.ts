import { describe, expect, test } from 'vitest';
import type { CardChannel } from '../../../../apdu/card-channel.ts';
import { parseCommand } from '../../../../apdu/iso7816/command-apdu.ts';
import { fromHex, readUint, toHex } from '../../../../apdu/octets.ts';
import { deriveCardChallenge, deriveSessionKeys } from '../../../../apdu/secure-channel/scp03-keys.ts';
import { openSecureChannel } from '../../../../apdu/secure-channel/secure-channel.ts';
import type { SecurityLevel } from '../../../../apdu/secure-channel/security-level.ts';
import { ChannelCard } from '../../../support/cards/channel-card.ts';
import cardTraces from '../../../vectors/scp03-card-traces.json' with { type: 'json' };
import transcripts from '../../../vectors/scp03-transcripts.json' with { type: 'json' };

interface HexKeySet {
  readonly version: number;
  readonly enc: string;
  readonly mac: string;
  readonly dek: string;
}

function keySet({ version, enc, mac, dek }: HexKeySet) {
  return { version, enc: fromHex(enc), mac: fromHex(mac), dek: fromHex(dek) };
}

const KEY_SETS = transcripts.keySets.map(keySet);

/** Gives the answers of a script, and takes no commands but the script's. */
function scripted(script: readonly (readonly [command: string, answer: string])[]): CardChannel & { done(): boolean } {
  let at = 0;
  return {
    atr: new Uint8Array(0),
    transmit(command) {
      const step = script[at++];
      expect(toHex(command)).toBe(step?.[0]);
      return Promise.resolve(fromHex(step?.[1] ?? ''));
    },
    close: () => Promise.resolve(),
    done: () => at === script.length,
  };
}

describe.each(cardTraces.traces)('trace of a card at level $level', (trace) => {
  const keys = keySet(cardTraces.keySet);

  test('the host sends what was recorded', async () => {
    const rMac = (trace.level & 0x10) !== 0;
    const card = scripted([
      [trace.initializeUpdate, `${trace.initializeAnswer}9000`],
      [trace.externalAuthenticate, '9000'],
      ...trace.commands.map(({ plain, wrapped, wrappedAnswer }): [string, string] => {
        // Here an R-MAC is always asked for by Le; Le is under no MAC.
        const le = rMac && parseCommand(fromHex(plain)).le === undefined ? '00' : '';
        return [wrapped + le, wrappedAnswer === undefined ? '6985' : `${wrappedAnswer}9000`];
      }),
    ]);
    const hostChallenge = fromHex(trace.initializeUpdate).subarray(5, 13);
    const level = trace.level as SecurityLevel;
    const channel = await openSecureChannel(card, keys, { level, hostChallenge });
    for (const { plain, answer } of trace.commands) {
      const expected = answer === undefined ? '6985' : `${answer}9000`;
      expect(toHex(await channel.transmit(fromHex(plain)))).toBe(expected);
    }
    expect(card.done()).toBe(true);
  });
});

test.each(cardTraces.traces.filter(({ pseudoRandom }) => pseudoRandom))('card challenge at level $level', (trace) => {
  const answer = fromHex(trace.initializeAnswer);
  const challenge = deriveCardChallenge(
    fromHex(cardTraces.keySet.enc),
    readUint(answer, 29, 3),
    fromHex(cardTraces.aid),
  );
  expect(toHex(challenge)).toBe(toHex(answer.subarray(13, 21)));
});

describe.each(transcripts.sessions)('transcript at level $level, key set $keySet', (session) => {
  const keys = KEY_SETS.find(({ version }) => version === session.keySet)!;
  const hostChallenge = fromHex(session.hostChallenge);

  test('the session keys are those recorded', () => {
    const { enc, mac, rmac } = deriveSessionKeys(keys, hostChallenge, fromHex(session.cardChallenge));
    expect([enc, mac, rmac].map(toHex)).toEqual([session.sEnc, session.sMac, session.sRmac]);
    expect(toHex(deriveCardChallenge(keys.enc, session.sequenceCounter, fromHex(transcripts.aid)))).toBe(
      session.cardChallenge,
    );
  });

  test('the host sends what was recorded', async () => {
    // The host names the version of its key set; the transcripts also have P1 00.
    const version = session.keySet.toString(16).padStart(2, '0');
    const card = scripted([
      [`8050${version}${session.initializeUpdate.slice(6)}`, session.initializeAnswer],
      [session.externalAuthenticate, '9000'],
      ...session.exchanges.map(({ wrapped, wrappedAnswer }) => [wrapped, wrappedAnswer] as const),
    ]);
    const channel = await openSecureChannel(card, keys, { level: session.level as SecurityLevel, hostChallenge });
    for (const { plain, answer } of session.exchanges) {
      expect(toHex(await channel.transmit(fromHex(plain)))).toBe(answer);
    }
    expect(card.done()).toBe(true);
    expect(channel.sequenceCounter).toBe(session.sequenceCounter);
    expect(toHex(channel.diversification)).toBe(`${transcripts.cardId}0000`);
    expect(channel.keyVersion).toBe(session.keySet);
  });
});

test('the soft card answers all transcripts one after the other', async () => {
  const card = new ChannelCard(KEY_SETS[0]!);
  const say = async (command: string) => toHex(await card.transmit(fromHex(command)));
  for (const session of transcripts.sessions) {
    expect(await say(session.initializeUpdate)).toBe(session.initializeAnswer);
    expect(await say(session.externalAuthenticate)).toBe('9000');
    for (const { wrapped, wrappedAnswer } of session.exchanges) expect(await say(wrapped)).toBe(wrappedAnswer);
  }
  expect(card.counter).toBe(transcripts.sessions.length);
});

describe('the soft card refuses', () => {
  /** A new card that a channel is opened to. */
  async function opened(session: { initializeUpdate: string; initializeAnswer: string; externalAuthenticate: string }) {
    const card = new ChannelCard(KEY_SETS[0]!);
    const say = async (command: string) => toHex(await card.transmit(fromHex(command)));
    expect(await say(session.initializeUpdate)).toBe(session.initializeAnswer);
    expect(await say(session.externalAuthenticate)).toBe('9000');
    return { card, say };
  }

  test('a wrong cryptogram under a right C-MAC', async () => {
    const card = new ChannelCard(KEY_SETS[0]!);
    const { initializeUpdate, externalAuthenticate } = transcripts.wrongCryptogram;
    await card.transmit(fromHex(initializeUpdate));
    expect(toHex(await card.transmit(fromHex(externalAuthenticate)))).toBe('6300');
    expect(toHex(await card.transmit(fromHex(externalAuthenticate)))).toBe('6985');
  });

  test.each(transcripts.wrongPadding)('padding at level $level: $what', async (attempt) => {
    const { say } = await opened(attempt);
    expect(await say(attempt.wrapped)).toBe('6988');
    expect(await say('84100000080000000000000000')).toBe('6985');
  });

  test.each(transcripts.wrongPutKeys)('PUT KEY at level $level: $what', async (attempt) => {
    const { card, say } = await opened(attempt);
    for (const { wrapped, wrappedAnswer } of attempt.exchanges) expect(await say(wrapped)).toBe(wrappedAnswer);
    expect(card.keys).toBe(KEY_SETS[0]);
  });
});
