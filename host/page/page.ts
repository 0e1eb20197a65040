/** The program of the page: a bridge in the browser, between the relay, a card of the page's own and the video. */
import type { CardChannel } from '../../apdu/card-channel.ts';
import { encodePin } from '../../apdu/decode-module/pin.ts';
import { Bridge } from '../bridge/bridge.ts';
import { describeOffer } from '../bridge/price/describe-offer.ts';
import { nobleAead } from '../stream/packet/packet-aead.ts';
import { BrowserCard } from './browser-card.ts';
import { askPrice, ELEMENTS, say, showBill, showStatus } from './page-view.ts';
import { RelayedStream } from './relayed-stream.ts';
import { UsbCard } from './usb-card.ts';
import { VideoSink } from './video-sink.ts';

const STREAM = new URL('/stream', location.href.replace(/^http/, 'ws')).href;
/** ms between looks at the status. */
const LOOK_EVERY = 250;
const UNPLAYABLE =
  'This browser cannot play what comes, so nothing more is taken or paid. Watch it with tollcast watch and a player. ' +
  'Browsers play H.264 with AAC or MP3.';

const { video, card: select, bring, file, pin, play, stop } = ELEMENTS;
const sink = new VideoSink(video);
const token = new UsbCard();
let card: BrowserCard | undefined;
let running: AbortController | undefined;
let isConnected = false;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Opens the card that the user chose. */
async function openCard(): Promise<CardChannel> {
  if (select.value === 'usb') return token.openChannel();
  card ??= await BrowserCard.open();
  return card.openChannel();
}

/** Shows what the choice of the card asks for. */
function showChoice(): void {
  const isSoft = select.value === 'soft';
  bring.hidden = !isSoft || card === undefined || card.hasCard;
  play.disabled = isSoft && card?.hasCard !== true;
  if (!isSoft) return say('Ready: Play asks which token to use.');
  if (card !== undefined)
    say(card.hasCard ? 'Ready.' : 'There is no card in this browser yet: choose the file of a soft card.');
}

async function run(): Promise<void> {
  const given = pin.value === '' ? undefined : encodePin(pin.value);
  pin.value = '';
  const stopping = (running = new AbortController());
  stop.hidden = false;
  pin.disabled = true;
  select.disabled = true;
  const bridge = new Bridge({
    open: openCard,
    sink,
    aead: nobleAead,
    pin: given,
    decidePrice: (offer, signal) =>
      offer.tariff.kind === 'free' ? Promise.resolve(true) : askPrice(describeOffer(offer), signal),
    waitForCredit: true,
    onNotice: say,
  });
  const stream = new RelayedStream(STREAM, bridge, (connected) => (isConnected = connected));
  const looking = setInterval(() => look(bridge), LOOK_EVERY);
  try {
    const end = await bridge.run(stopping.signal);
    sink.end();
    showStatus(bridge.status);
    showBill(end.bill);
    say(`The programme is over: ${end.message}.`);
  } finally {
    clearInterval(looking);
    stream.close();
    running = undefined;
    stop.hidden = true;
    play.disabled = false;
    pin.disabled = false;
    select.disabled = false;
  }
}

function look({ status }: Bridge): void {
  showStatus(status);
  if (!isConnected) return say('The relay does not answer; see whether tollcast relay still runs.');
  if (!sink.isWanted) return;
  const reason = status.reason === undefined ? '' : `: ${status.reason}`;
  say(
    status.state === 'playing' && video.muted
      ? 'playing without sound; the loudspeaker turns it on'
      : `${status.state}${reason}`,
  );
}

function pause(text: string): void {
  sink.stop();
  play.disabled = false;
  say(text);
}

async function begin(): Promise<void> {
  play.disabled = true;
  try {
    if (running === undefined && select.value === 'usb') await token.choose();
    sink.play();
    if (running === undefined) await run();
  } catch (error) {
    pause(messageOf(error));
  }
}

async function bringCard(): Promise<void> {
  const chosen = file.files?.[0];
  if (chosen === undefined || card === undefined) return;
  try {
    await card.bringIn(chosen);
    showChoice();
    say('The card is in this browser now. Do not use its file any more: it would be the same card twice.');
  } catch (error) {
    say(`${chosen.name}: ${messageOf(error)}`);
  }
  file.value = '';
}

async function start(): Promise<void> {
  play.addEventListener('click', () => void begin());
  select.addEventListener('change', showChoice);
  stop.addEventListener('click', () => running?.abort());
  file.addEventListener('change', () => void bringCard());
  sink.onUnplayable = () => pause(UNPLAYABLE);
  video.addEventListener('pause', () => {
    if (sink.isWanted && !video.ended) pause('Paused: nothing more is taken or paid.');
  });
  try {
    card = await BrowserCard.open();
    showChoice();
  } catch (error) {
    say(messageOf(error));
  }
}

void start();
