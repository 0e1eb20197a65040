import type { CardChannel } from '../../../apdu/card-channel.ts';
import { INS } from '../../../apdu/decode-module/instruction.ts';
import { describeModuleStatus } from '../../../apdu/decode-module/module-status.ts';
import { moduleTracePolicy } from '../../../apdu/decode-module/trace-policy.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import { type RedactedHex, type TraceEntry, traceChannel } from '../../../apdu/iso7816/trace.ts';
import { systemClock } from '../../clock/clock.ts';

/** Bit of CLA that says that a command comes wrapped, through the secure channel. */
const CLA_SECURE_BIT = 0x04;
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(INS).map(([name, ins]) => [ins, name.replaceAll('_', ' ')]),
);

/** A channel that tells of each command and its answer in plain words, without what is secret. */
export function tellCommands(channel: CardChannel, tell: (line: string) => void): CardChannel {
  return traceChannel(channel, {
    policy: moduleTracePolicy,
    clock: () => systemClock.monotonic(),
    sink: (entry) => describeTraceEntry(entry).forEach(tell),
  });
}

/** One command and what came of it, in two lines; ".." stands for an octet that is not shown. */
function describeTraceEntry({ command, answer, error, at, until }: TraceEntry): string[] {
  const time = `${(until - at).toFixed(1)} ms`;
  return [`> ${formatHex(command)}  ${nameCommand(command)}`, `< ${describeAnswer(answer, error)} (${time})`];
}

function describeAnswer(answer: RedactedHex | undefined, error: string | undefined): string {
  if (answer === undefined) return `no answer: ${error}`;
  const status = Number.parseInt(answer.slice(-4), 16);
  const data = answer.length > 4 ? `${formatHex(answer.slice(0, -4))}  ` : '';
  return `${data}${formatStatus(status)} ${describeModuleStatus(status).text}`;
}

function nameCommand(command: RedactedHex): string {
  const [cla = 0, ins = 0] = [command.slice(0, 2), command.slice(2, 4)].map((octet) => Number.parseInt(octet, 16));
  const name = NAMES.get(ins) ?? 'unknown command';
  return (cla & CLA_SECURE_BIT) === 0 ? name : `${name}, wrapped`;
}

/** Writes octets as in "00 A4 04 00". */
export function formatHex(hex: RedactedHex): string {
  return hex.toUpperCase().replaceAll(/(..)(?=.)/g, '$1 ');
}
