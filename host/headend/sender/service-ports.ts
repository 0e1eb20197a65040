import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import { encodeGoodbye } from '../../stream/packet/rtcp-goodbye.ts';
import { chooseKeyPort } from '../../transport/network/multicast-address.ts';
import { UdpSender } from '../../transport/network/udp-sender.ts';

/** Where a service is sent. */
export interface ServiceAddress {
  /** IPv4, multicast as a rule. */
  readonly address: string;
  /** Media port, even; RTCP has the next one (RFC 3550 11). */
  readonly port: number;
  readonly keyPort: number;
  /** IPv4 address of the interface that multicast leaves by. */
  readonly interface: string;
  /** Hops that multicast may make, 0 to 255. */
  readonly ttl: number;
}

/** A BYE is repeated, as it may be lost like any other packet. */
const GOODBYES = 3;
/** ms. */
const GOODBYE_INTERVAL = 30;

/**
 * Gives the keys the port that is 2 above the media's where none is named.
 * @throws OutOfRangeError when the media or its RTCP has the port that is named.
 */
export function completeAddress({
  keyPort,
  ...to
}: Omit<ServiceAddress, 'keyPort'> & { readonly keyPort?: number | undefined }): ServiceAddress {
  return { ...to, keyPort: chooseKeyPort(to.port, keyPort) };
}

/** The ports of one service: media, RTCP, keys. */
export class ServicePorts {
  readonly media: UdpSender;
  readonly keys: UdpSender;
  readonly #control: UdpSender;

  /** @throws TransportError `UDP_SEND` when the address cannot be sent to. */
  static async open(to: ServiceAddress): Promise<ServicePorts> {
    const media = await UdpSender.open(to);
    const control = await UdpSender.open({ ...to, port: to.port + 1 });
    const keys = await UdpSender.open({ ...to, port: to.keyPort });
    return new ServicePorts(media, control, keys);
  }

  private constructor(media: UdpSender, control: UdpSender, keys: UdpSender) {
    this.media = media;
    this.#control = control;
    this.keys = keys;
  }

  /**
   * Ends the stream for its receivers.
   * @param leaving the RTP timestamp of its end, and how many packets and octets of payload were sent.
   */
  async sayGoodbye(
    leaving: { ssrc: number; timestamp: number; packets: number; octets: number },
    clock: Clock,
  ): Promise<void> {
    await this.media.drain(0);
    const cname = randomBytes(12).toString('base64');
    const farewell = encodeGoodbye({ ...leaving, now: clock.now(), cname });
    for (let i = 0; i < GOODBYES; i++) {
      if (i > 0) await clock.sleep(GOODBYE_INTERVAL);
      this.#control.send(farewell);
    }
  }

  /** Lets what is queued go out. */
  async close(): Promise<void> {
    await Promise.all([this.media.close(), this.#control.close(), this.keys.close()]);
  }
}
