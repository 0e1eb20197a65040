import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { MediaSource, ServiceSender } from '../../../host/headend/index.ts';
import { Lateness } from '../../../host/headend/sender/lateness.ts';
import type { Measurement, Row } from '../figures.ts';
import { endWithThisProcess } from '../left-behind.ts';
import { ADDRESS, makeSender } from '../paid-service.ts';

const COUNTER = fileURLToPath(new URL('../count-datagrams.ts', import.meta.url));
const SERVICES = 50;
const SLOW = 5_000_000;
const FAST = 900_000_000;
/** s of each stream, and from when on it is measured, when Node has compiled what it runs. */
const SECONDS = 10;
const WARM_UP = 4;

/** What services cost that are sent at their pace: fifty of 5 Mbit/s in this process, then one of 900 Mbit/s. */
export async function measureHeadEnd(): Promise<Measurement> {
  const rows: Row[] = [...(await measureMany()), ...(await measureFast())];
  return {
    how:
      `Plain data in mode sealed, n = 100, span 64, by multicast on loopback, at its pace for ${SECONDS} s, the first ${WARM_UP} s aside; CPU and memory ` +
      `of the whole process, with keys and source. The fast service is counted by a process that uses recvmmsg; the others go to nobody.`,
    rows,
  };
}

async function measureMany(): Promise<Row[]> {
  const senders: ServiceSender[] = [];
  for (let i = 0; i < SERVICES; i++)
    senders.push((await makeSender([], makeSource(SLOW), 'data', { rate: SLOW })).sender);
  const { signal } = new AbortController();
  const runs = senders.map((sender) => sender.run(signal));
  const { cores, perGb } = await measureCpu(() => senders.reduce((sum, { totals }) => sum + totals.octets, 0));
  const memory = process.memoryUsage.rss() / 1e6;
  await Promise.all(runs);
  const lateness = new Lateness();
  for (const sender of senders) lateness.addAll(sender.lateness);
  const what = `${SERVICES} services of 5 Mbit/s`;
  return [
    { what: `${what}: of a core`, figure: cores, unit: '', goal: { atMost: 0.35 } },
    { what: `${what}: memory`, figure: memory, unit: 'MB', goal: { atMost: 300 } },
    { what: `${what}: CPU`, figure: perGb, unit: 'CPU s/GB' },
    { what: `${what}: lateness of a packet, median`, figure: lateness.quantile(0.5), unit: 'ms' },
    { what: `${what}: lateness of a packet, 99 %`, figure: lateness.quantile(0.99), unit: 'ms' },
    { what: `${what}: lateness of a packet, worst`, figure: lateness.quantile(1), unit: 'ms' },
  ];
}

async function measureFast(): Promise<Row[]> {
  const { sender, port } = await makeSender([], makeSource(FAST), 'data', { rate: FAST });
  const counter = spawn(process.execPath, [COUNTER, ADDRESS, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  endWithThisProcess(counter);
  let said = '';
  counter.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  while (!said.includes('ready')) await once(counter.stdout, 'data');
  const run = sender.run(new AbortController().signal);
  const { rate, perGb } = await measureCpu(() => sender.totals.octets);
  await run;
  await sleep(500);
  const ended = once(counter, 'close');
  counter.stdin.end();
  await ended;
  const received = Number(said.trim().split('\n').at(-1));
  const { lateness, totals } = sender;
  return [
    { what: 'a service of 900 Mbit/s: rate', figure: rate / 1e6, unit: 'Mbit/s', goal: { atLeast: 890 } },
    { what: 'a service of 900 Mbit/s: packets lost', figure: totals.packets - received, unit: '', goal: { atMost: 0 } },
    { what: 'a service of 900 Mbit/s: CPU', figure: perGb, unit: 'CPU s/GB' },
    { what: 'a service of 900 Mbit/s: lateness of a packet, 99 %', figure: lateness.quantile(0.99), unit: 'ms' },
  ];
}

/** Measures this process from the end of the warm-up to the end of the stream. */
async function measureCpu(octets: () => number): Promise<{ cores: number; perGb: number; rate: number }> {
  await sleep(WARM_UP * 1000);
  const before = process.cpuUsage();
  const from = octets();
  const started = performance.now();
  await sleep((SECONDS - WARM_UP - 1) * 1000);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - started) / 1000;
  const sent = octets() - from;
  return {
    cores: (user + system) / 1e6 / seconds,
    perGb: (user + system) / 1e6 / (sent / 1e9),
    rate: (8 * sent) / seconds,
  };
}

function makeSource(rate: number): MediaSource {
  const chunk = randomBytes(0x10000);
  const chunks = Math.ceil((rate * SECONDS) / 8 / chunk.length);
  return {
    async *[Symbol.asyncIterator]() {
      for (let i = 0; i < chunks; i++) yield { octets: chunk };
    },
  };
}
