import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setImmediate as yieldTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { makeContentCiphers } from '../../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../../apdu/decode-module/working-keys.ts';
import { MKI_LENGTH } from '../../../host/stream/packet/mki.ts';
import { AEAD_TAG, type AeadFactory } from '../../../host/stream/packet/packet-aead.ts';
import { RTP_HEADER } from '../../../host/stream/packet/rtp-packet.ts';
import { GroupSealer, MAX_PAYLOAD } from '../../../host/stream/sealing/group-sealer.ts';
import { nodeAead } from '../../../host/transport/crypto/node-aead.ts';
import { loadOpensslAead } from '../../../host/transport/crypto/node-openssl-aead.ts';
import { loadSendCalls, type SendCalls } from '../../../host/transport/network/send-calls.ts';
import { UdpSender } from '../../../host/transport/network/udp-sender.ts';
import type { Measurement, Row } from '../figures.ts';
import { MeasurementError } from '../measurement-error.ts';

const ROUNDS = 12;
const PACKETS = 40_000;
const EVERY = 100;
/** Packets that go out together, as from the pacer. */
const BURST = 48;
/** Groups after which the event loop gets its turn, as in a paced stream. */
const TURN = 32;

/** By what address and interface the packets leave. */
interface Way {
  readonly address: string;
  readonly interface: string;
}

const LOOPBACK: Way = { address: '239.255.0.99', interface: '127.0.0.1' };
const VETH: Way = { address: '239.255.0.99', interface: '10.231.0.1' };

/** Best of the rounds, in packets per CPU second. */
interface Best {
  sendmmsg: number;
  seal: number;
  sealAndSend: number;
  withoutTrains: number;
  withoutKoffi: number;
}

/** Packets sealed and sent per CPU second, as the head-end does it, against sendmmsg alone. */
export async function measureSealAndSend(): Promise<Measurement> {
  const loopback = await measureWay(LOOPBACK);
  const veth = measureVeth();
  const ratio = (best: Best) => best.sealAndSend / best.sendmmsg;
  const unit = 'packets/CPU s';
  const rows: Row[] = [
    { what: 'seal and send', figure: loopback.sealAndSend, unit, goal: { atLeast: 100_000 } },
    { what: 'sendmmsg alone', figure: loopback.sendmmsg, unit },
    { what: 'seal and send / sendmmsg alone', figure: ratio(loopback), unit: '', goal: { atLeast: 0.9 } },
    { what: 'seal alone', figure: loopback.seal, unit },
    { what: 'seal and send, without UDP GSO', figure: loopback.withoutTrains, unit },
    { what: 'seal and send, without koffi', figure: loopback.withoutKoffi, unit },
  ];
  if (veth !== undefined) {
    rows.push(
      { what: 'through a veth pair: seal and send', figure: veth.sealAndSend, unit },
      { what: 'through a veth pair: sendmmsg alone', figure: veth.sendmmsg, unit },
      { what: 'through a veth pair: ratio', figure: ratio(veth), unit: '', goal: { atLeast: 0.7 } },
    );
  }
  return {
    how:
      `Packets of ${MAX_PAYLOAD} octets in mode sealed, span 64, n = ${EVERY}, by multicast to nobody, in bursts of ${BURST}; ` +
      `sendmmsg alone sends as many ready packets, one a message. Best of ${ROUNDS} rounds of ${PACKETS.toLocaleString('en')}, ` +
      `by turns; CPU of the whole process. ` +
      (veth === undefined
        ? 'The veth pair was left out: it takes root and unshare.'
        : 'The veth pair lies in a network namespace, and the kernel cuts the trains.'),
    rows,
  };
}

/** In a process of its own, whose network is the pair alone. */
function measureVeth(): Best | undefined {
  const self = fileURLToPath(import.meta.url);
  const pair =
    'ip link add tc0 type veth peer name tc1 && ip addr add 10.231.0.1/24 dev tc0 && ip link set lo up && ip link set tc0 up && ip link set tc1 up';
  const { status, stdout } = spawnSync(
    'unshare',
    ['-n', 'sh', '-c', `${pair} && exec "$0" "$1" veth`, process.execPath, self],
    {
      encoding: 'utf8',
      timeout: 180_000,
    },
  );
  return status === 0 ? (JSON.parse(stdout) as Best) : undefined;
}

async function measureWay(way: Way): Promise<Best> {
  const openssl = await loadOpensslAead();
  const calls = await loadSendCalls();
  if (openssl === undefined || calls === undefined) {
    throw new MeasurementError('koffi or sendmmsg is not here; run it on Linux with the optional dependencies');
  }
  const to = { ...way, port: 40_990, ttl: 1 };
  const whole = await UdpSender.open(to);
  const plain = await UdpSender.open(to, refuseTrains(calls));
  const dgram = await UdpSender.open(to, 'dgram');
  const ready = Array.from({ length: EVERY }, () => randomBytes(RTP_HEADER + MAX_PAYLOAD + AEAD_TAG + MKI_LENGTH));
  const best: Best = { sendmmsg: 0, seal: 0, sealAndSend: 0, withoutTrains: 0, withoutKoffi: 0 };
  const take = async (name: keyof Best, work: () => readonly Uint8Array[], sender?: UdpSender) => {
    best[name] = Math.max(best[name], await countPerCpuSecond(work, sender));
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await take('sendmmsg', () => ready, plain);
      await take('sealAndSend', sealWith(openssl), whole);
      await take('seal', sealWith(openssl));
      await take('withoutTrains', sealWith(openssl), plain);
      await take('withoutKoffi', sealWith(nodeAead), dgram);
    }
  } finally {
    for (const sender of [whole, plain, dgram]) await sender.close();
  }
  return best;
}

/** The calls of a kernel that does not know trains. */
function refuseTrains(calls: SendCalls): SendCalls {
  let isRefused = false;
  return {
    ...calls,
    sendmmsg(fd, messages, count, flags) {
      if (isRefused || count === 0) return calls.sendmmsg(fd, messages, count, flags);
      isRefused = true;
      return -1;
    },
    errorName: () => 'EINVAL',
  };
}

/** @returns a function that seals a whole group. */
function sealWith(aead: AeadFactory): () => readonly Uint8Array[] {
  const key = {
    id: 1,
    masterSalt: randomBytes(12),
    ciphers: makeContentCiphers(deriveWorkingKeys(KIND.content, 1, 1, randomBytes(16))),
  };
  const source = randomBytes(MAX_PAYLOAD * 1000);
  const sealer = new GroupSealer({
    ssrc: 2,
    mode: 'sealed',
    span: 64,
    every: EVERY,
    closingTime: 1000,
    payloadType: 33,
    firstSequence: 0,
    random: (length) => randomBytes(length),
    aead,
    reusesMemory: true,
  });
  let packet = 0;
  return () => {
    for (;;) {
      const at = (packet % 1000) * MAX_PAYLOAD;
      const octets = source.subarray(at, at + MAX_PAYLOAD);
      const [group] = sealer.push({ octets, duration: 0, at: 0, timestamp: packet++ }, key, 1);
      if (group !== undefined) return group.packets.map((sealed) => sealed.octets);
    }
  };
}

async function countPerCpuSecond(work: () => readonly Uint8Array[], sender?: UdpSender): Promise<number> {
  const before = process.cpuUsage();
  for (let group = 0; group < PACKETS / EVERY; group++) {
    const datagrams = work();
    for (let from = 0; from < datagrams.length; from += BURST) {
      sender?.sendAll(datagrams, from, Math.min(from + BURST, datagrams.length));
    }
    await sender?.drain(0);
    if (group % TURN === 0) await yieldTurn();
  }
  const { user, system } = process.cpuUsage(before);
  return (PACKETS * 1e6) / (user + system);
}

if (process.argv[2] === 'veth') process.stdout.write(JSON.stringify(await measureWay(VETH)));
