import { randomBytes } from 'node:crypto';
import { setImmediate as yieldTurn } from 'node:timers/promises';
import { KIND } from '../../apdu/decode-module/kinds.ts';
import { makeContentCiphers } from '../../apdu/decode-module/packets/card-part.ts';
import { deriveWorkingKeys } from '../../apdu/decode-module/working-keys.ts';
import { MKI_LENGTH } from '../../host/stream/packet/mki.ts';
import { AEAD_TAG, type AeadFactory } from '../../host/stream/packet/packet-aead.ts';
import { RTP_HEADER } from '../../host/stream/packet/rtp-packet.ts';
import { GroupSealer, MAX_PAYLOAD, type SealedGroup } from '../../host/stream/sealing/group-sealer.ts';
import { nodeAead } from '../../host/transport/crypto/node-aead.ts';
import { loadOpensslAead } from '../../host/transport/crypto/node-openssl-aead.ts';
import { UdpSender } from '../../host/transport/network/udp-sender.ts';
import type { Measurement } from './figures.ts';

const ROUNDS = 12;
const PACKETS = 40_000;
const EVERY = 100;
/** Packets after which the event loop gets its turn, as in a paced stream. */
const TURN = 3200;
const TO = { address: '239.255.0.99', port: 40_990, interface: '127.0.0.1', ttl: 0 };

/** Packets sealed and sent per CPU second, as the head-end does it, against sending alone. */
export async function measureSealAndSend(): Promise<Measurement> {
  const openssl = await loadOpensslAead();
  const sender = await UdpSender.open(TO);
  const best = { send: 0, seal: 0, sealAndSend: 0, nodeCrypto: 0 };
  const take = async ({ packets }: Pick<SealedGroup, 'packets'>) => {
    for (const { octets } of packets) sender.send(octets);
    await sender.drain();
  };
  const ready = {
    packets: [{ octets: randomBytes(RTP_HEADER + MAX_PAYLOAD + AEAD_TAG + MKI_LENGTH), at: 0 }],
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      best.send = Math.max(best.send, await countPerCpuSecond(() => take(ready)));
      best.seal = Math.max(best.seal, await countPerCpuSecond(sealWith(openssl ?? nodeAead, async () => {})));
      best.sealAndSend = Math.max(best.sealAndSend, await countPerCpuSecond(sealWith(openssl ?? nodeAead, take)));
      best.nodeCrypto = Math.max(best.nodeCrypto, await countPerCpuSecond(sealWith(nodeAead, take)));
    }
  } finally {
    await sender.close();
  }
  const cipher = openssl === undefined ? 'node:crypto' : "Node's OpenSSL by koffi";
  return {
    how:
      `Packets of ${MAX_PAYLOAD} octets in mode sealed, span 64, n = ${EVERY}, by multicast on loopback to nobody; AES-GCM by ${cipher}. ` +
      `Best of ${ROUNDS} rounds of ${PACKETS.toLocaleString('en')}, by turns; CPU of the whole process.`,
    rows: [
      { what: 'seal and send', figure: best.sealAndSend, unit: 'packets/CPU s', goal: { atLeast: 100_000 } },
      { what: 'send alone', figure: best.send, unit: 'packets/CPU s' },
      { what: 'seal and send / send alone', figure: best.sealAndSend / best.send, unit: '', goal: { atLeast: 0.4 } },
      { what: 'seal alone', figure: best.seal, unit: 'packets/CPU s' },
      { what: 'seal and send without koffi', figure: best.nodeCrypto, unit: 'packets/CPU s' },
    ],
  };
}

function sealWith(
  aead: AeadFactory,
  take: (group: SealedGroup) => Promise<void>,
): (packet: number) => Promise<void> | undefined {
  const masterSalt = randomBytes(12);
  const key = {
    id: 1,
    masterSalt,
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
  });
  return (packet) => {
    const at = (packet % 1000) * MAX_PAYLOAD;
    const octets = source.subarray(at, at + MAX_PAYLOAD);
    const [group] = sealer.push({ octets, duration: 0, at: 0, timestamp: packet }, key, 1);
    return group && take(group);
  };
}

async function countPerCpuSecond(work: (packet: number) => Promise<void> | undefined): Promise<number> {
  const before = process.cpuUsage();
  for (let packet = 0; packet < PACKETS; packet++) {
    await work(packet);
    if (packet % TURN === 0) await yieldTurn();
  }
  const { user, system } = process.cpuUsage(before);
  return (PACKETS * 1e6) / (user + system);
}
