import { FormatError, TransportError } from '../../../apdu/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { findOfferHint, type OfferHint } from '../../contract/announcement/offer-hint.ts';
import { parseSapPacket, SAP_PORT } from '../../contract/announcement/sap-packet.ts';
import type { SignedOffer } from '../../contract/offer/signed-offer.ts';
import { openUdpReceiver } from '../../transport/network/udp-receiver.ts';
import { fetchAnnounced } from './fetch-channels.ts';

interface HearingOptions {
  /** Multicast address of the announcements. */
  readonly address: string;
  readonly interface: string;
  readonly clock: Clock;
}

/** ms: a head-end announces all it offers every 5 s, and an offer takes a moment to fetch. */
export const HEARING_TIME = 6000;
/** Head-ends that are asked at a time. A lie about one takes nothing from the others. */
export const MAX_HEAD_ENDS = 64;
/** Offers that each is asked for. */
const MAX_OFFERS = 250;

/**
 * Listens for announcements (RFC 2974) and fetches each offer that is announced, from the head-end with the announced
 * key alone. Anybody can announce anything, so what is wrong is dropped, and nothing of it is to be believed yet.
 * @param onOffer called with each offer whose session hash is the announced one.
 * @param signal ends it before the time is over.
 * @throws TransportError when nothing can be received there.
 */
export async function hearChannels(
  { address, interface: local, clock }: HearingOptions,
  onOffer: (offer: SignedOffer) => void,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const end = AbortSignal.any([signal, over.signal]);
  const headEnds = new Map<string, AnnouncedHeadEnd>();
  const take = (datagram: Uint8Array) => {
    const hint = readHint(datagram);
    if (hint === undefined || end.aborted) return;
    const name = `${hint.url} ${hint.tlsKey}`;
    const known = headEnds.get(name);
    if (known === undefined && headEnds.size >= MAX_HEAD_ENDS) return;
    const headEnd = known ?? new AnnouncedHeadEnd(onOffer, end);
    headEnds.set(name, headEnd);
    headEnd.add(hint);
  };
  const receiver = await openUdpReceiver({
    address,
    port: SAP_PORT,
    interface: local,
    coalesce: false,
    onDatagrams: (datagrams) => datagrams.forEach(take),
  });
  try {
    await clock.sleep(HEARING_TIME, signal).catch(() => undefined);
  } finally {
    over.abort();
    await receiver.close();
  }
  await Promise.all([...headEnds.values()].map((headEnd) => headEnd.work));
}

/** @returns undefined for what announces no offer. That one is taken back is not believed: its head-end knows it. */
function readHint(datagram: Uint8Array): OfferHint | undefined {
  try {
    const { isDeletion, sdp } = parseSapPacket(datagram);
    return isDeletion ? undefined : findOfferHint(sdp);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** A head-end that is asked for one announced offer after the other. */
class AnnouncedHeadEnd {
  readonly #onOffer: (offer: SignedOffer) => void;
  readonly #end: AbortSignal;
  readonly #asked = new Set<string>();
  #isDead = false;
  /** Settles when everything that was added has been asked for. */
  work: Promise<void> = Promise.resolve();

  constructor(onOffer: (offer: SignedOffer) => void, end: AbortSignal) {
    this.#onOffer = onOffer;
    this.#end = end;
  }

  add(hint: OfferHint): void {
    if (this.#asked.has(hint.id) || this.#asked.size >= MAX_OFFERS) return;
    this.#asked.add(hint.id);
    this.work = this.work.then(() => this.#fetch(hint));
  }

  async #fetch(hint: OfferHint): Promise<void> {
    if (this.#isDead || this.#end.aborted) return;
    try {
      this.#onOffer(await fetchAnnounced(hint, this.#end));
    } catch (error) {
      // Whoever does not answer, or has another key, is not asked again.
      if (error instanceof TransportError) this.#isDead = true;
      else if (!(error instanceof FormatError)) throw error;
    }
  }
}
