import { expect, test } from 'vitest';
import { DecodeModule } from '../../../../apdu/decode-module/decode-module.ts';
import { encodePin } from '../../../../apdu/decode-module/pin.ts';
import { moduleTracePolicy } from '../../../../apdu/decode-module/trace-policy.ts';
import { formatTrace, traceChannel, type TraceEntry } from '../../../../apdu/iso7816/trace.ts';
import { toHex } from '../../../../apdu/octets.ts';
import { startCard } from '../../../../card-sim/index.ts';

test('a trace shows that a PIN was verified or changed, and what the card said, but no PIN', async () => {
  await using card = await startCard({ kind: 'soft' });
  const channel = await card.channel();
  const entries: TraceEntry[] = [];
  const traced = traceChannel(channel, {
    policy: moduleTracePolicy,
    clock: () => 0,
    sink: (entry) => entries.push(entry),
  });
  const module = new DecodeModule(traced);
  await module.select();
  const [old, pin] = [encodePin('48151623'), encodePin('42108')];
  await module.verifyPin(old).catch(() => undefined);
  await module.changePin(old, pin).catch(() => undefined);
  await channel.close();

  const text = formatTrace({ atr: channel.atr, entries });
  expect(entries.slice(1).map(({ command }) => command.slice(0, 8))).toEqual(['80200000', '80240000']);
  for (const { answer } of entries.slice(1)) expect(answer).toMatch(/^[0-9a-f]{4}$/);
  for (const secret of [old, pin]) expect(text).not.toContain(toHex(secret));
});
