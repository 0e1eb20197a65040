import { createCipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { AesCbc } from '../../../apdu/decode-module/keys/aes-cbc.ts';
import { concat, writeUint } from '../../../apdu/octets.ts';
import { systemClock } from '../../../host/clock/clock.ts';
import type { MediaSource } from '../../../host/headend/index.ts';
import { Pacer } from '../../../host/headend/sender/pacer.ts';
import { MediaTimeline } from '../../../host/headend/sources/media-timeline.ts';
import { TsPacker } from '../../../host/headend/sources/ts/ts-packer.ts';
import { TS_LAYOUTS } from '../../../host/headend/sources/ts/ts-packet.ts';
import { PAYLOAD_TYPE_MPEG_TS, RTP_HEADER, writeRtpHeader } from '../../../host/stream/packet/rtp-packet.ts';
import { deriveSrtpKey } from '../../../host/stream/packet/srtp-keys.ts';
import { UdpSender } from '../../../host/transport/network/udp-sender.ts';
import { LOOPBACK } from '../../support/streams/test-service.ts';

/** Octets of the tag of AES_CM_128_HMAC_SHA1_80. */
const TAG = 10;

/**
 * Sends a transport stream as the head-end does, same packets at the same pace, but as plain SRTP under one key: what
 * ffmpeg understands.
 */
export class SrtpSender {
  /** Payload sent so far. */
  octets = 0;
  readonly #masterKey = randomBytes(16);
  readonly #masterSalt = randomBytes(14);
  readonly #ssrc = 0x10000002;
  readonly #encryption: KeyObject;
  readonly #authentication: KeyObject;
  readonly #salt: Uint8Array;

  constructor() {
    const master = new AesCbc(this.#masterKey);
    this.#encryption = createSecretKey(deriveSrtpKey(master, this.#masterSalt, 0, 16));
    this.#authentication = createSecretKey(deriveSrtpKey(master, this.#masterSalt, 1, 20));
    this.#salt = deriveSrtpKey(master, this.#masterSalt, 2, 14);
  }

  /**
   * Session description, RFC 4568. ffmpeg takes the keys of MP2T for its own only behind a line of a codec it does not
   * know.
   * @param port of the media; four above it, nothing comes.
   */
  sdp(address: string, port: number): string {
    const inline = Buffer.from(concat(this.#masterKey, this.#masterSalt)).toString('base64');
    return [
      'v=0',
      'o=- 0 0 IN IP4 127.0.0.1',
      's=bench',
      `c=IN IP4 ${address}/1`,
      't=0 0',
      `m=audio ${port + 4} RTP/AVP 97`,
      `m=video ${port} RTP/SAVP ${PAYLOAD_TYPE_MPEG_TS}`,
      `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${inline}`,
      '',
    ].join('\r\n');
  }

  async send(source: MediaSource, address: string, port: number, speed: number): Promise<void> {
    const packer = new TsPacker(new MediaTimeline(0), 7, TS_LAYOUTS.ts);
    const pacer = new Pacer(speed, systemClock);
    const sender = await UdpSender.open({ address, port, interface: LOOPBACK, ttl: 0 });
    try {
      pacer.start(0, 0);
      let index = 1;
      for await (const chunk of source) {
        const payloads = packer.push(chunk.octets);
        for (let from = 0; from < payloads.length;) {
          const to = await pacer.next(payloads, from);
          const due = payloads.slice(from, to);
          sender.sendAll(due.map(({ octets, timestamp }) => this.#seal(octets, timestamp, index++)));
          this.octets += due.reduce((sum, { octets }) => sum + octets.length, 0);
          await sender.drain(0);
          from = to;
        }
      }
    } finally {
      await sender.close();
    }
  }

  /** RFC 3711 4.1.1, 4.2. @param index ROC and sequence number. */
  #seal(payload: Uint8Array, timestamp: number, index: number): Uint8Array {
    const ssrc = this.#ssrc;
    const packet = new Uint8Array(RTP_HEADER + payload.length + TAG);
    const tagAt = packet.length - TAG;
    writeRtpHeader(packet, {
      marker: false,
      payloadType: PAYLOAD_TYPE_MPEG_TS,
      sequence: index % 0x10000,
      timestamp,
      ssrc,
    });
    const iv = new Uint8Array(16);
    writeUint(iv, 4, 4, ssrc);
    writeUint(iv, 8, 6, index);
    for (let i = 0; i < this.#salt.length; i++) iv[i]! ^= this.#salt[i]!;
    packet.set(createCipheriv('aes-128-ctr', this.#encryption, iv).update(payload), RTP_HEADER);
    const roc = new Uint8Array(4);
    writeUint(roc, 0, 4, Math.floor(index / 0x10000));
    const hmac = createHmac('sha1', this.#authentication).update(packet.subarray(0, tagAt)).update(roc);
    packet.set(hmac.digest().subarray(0, TAG), tagAt);
    return packet;
  }
}
