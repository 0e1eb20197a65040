import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort, LOOPBACK } from '../../support/streams/test-service.ts';
import { endWithThisProcess } from '../left-behind.ts';
import { ADDRESS } from '../paid-service.ts';
import { type Command, LiveDesk } from './live-desk.ts';

/** Micro-units an hour: 2.00 USD/h. */
const PRICE = 2_000_000;
const HOUR = 3_600_000;
const PAYLOAD = 1316;

/** A live source: what ffmpeg makes of it in real time, how it reaches the head-end, and ms of its last part. */
interface LiveSource {
  readonly codecs: string;
  readonly by: 'pipe' | 'UDP';
  readonly lastPart: number;
}

/** Seconds of each source. */
export const SECONDS = 30;
const SOUND = `-re -f lavfi -i sine=frequency=440:duration=${SECONDS}`;
const PICTURE = `-re -f lavfi -i testsrc2=size=320x180:rate=25:duration=${SECONDS}`;
export const LIVE_SOURCES: Readonly<Record<string, LiveSource>> = {
  'MP3 of 48 kbit/s by a pipe': {
    codecs: `${SOUND} -c:a libmp3lame -b:a 48k -id3v2_version 0 -write_xing 0 -f mp3`,
    by: 'pipe',
    lastPart: 24,
  },
  'H.264 and AAC in MPEG-TS by UDP': {
    codecs: `${PICTURE} ${SOUND} -c:v libx264 -preset ultrafast -tune zerolatency -g 25 -c:a aac -f mpegts`,
    by: 'UDP',
    lastPart: 40,
  },
};

/** @returns by how many percent the charge of a live source by the hour differs from the time that it took to come. */
export async function measureChargeError(desk: LiveDesk, { codecs, by, lastPart }: LiveSource): Promise<number> {
  const to = `--address ${ADDRESS}:${await findFreePort()}`;
  const watch = desk.start(`watch ${to} --card soft:my.card --out /dev/null --yes --json`);
  await watch.says('listening');
  const port = await findFreePort();
  const source = by === 'pipe' ? '-' : `udp://${LOOPBACK}:${port}`;
  const how = `--source ${source} --end-at-stop --grant ${LiveDesk.CARD}`;
  const send = desk.start(`headend send ${how} ${to} --price`, '2.00 USD/h');
  await send.says('reading');
  // Until it listens, which it does next.
  await sleep(1000);
  const took = await playLive(codecs, by === 'pipe' ? pipeTo(send) : datagramsTo(port));
  if (by === 'UDP') {
    // Until the closing time is over.
    await sleep(1000);
    send.process.kill('SIGINT');
  }
  await send.ended;
  const { charged } = JSON.parse(await watch.ended) as { charged: number };
  return 100 * Math.abs(charged / (((took + lastPart) * PRICE) / HOUR) - 1);
}

/** Hands on what ffmpeg makes, as it comes. @returns ms from its first part to its last. */
async function playLive(codecs: string, give: ((part: Buffer) => void) & { end?: () => void }): Promise<number> {
  const words = `-v error ${codecs} -flush_packets 1 -`.split(' ');
  const ffmpeg = spawn('ffmpeg', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  endWithThisProcess(ffmpeg);
  let [first, last] = [Infinity, 0];
  ffmpeg.stdout.on('data', (part: Buffer) => {
    last = performance.now();
    first = Math.min(first, last);
    give(part);
  });
  await once(ffmpeg, 'close');
  give.end?.();
  return last - first;
}

function pipeTo({ process: { stdin } }: Command) {
  return Object.assign((part: Buffer) => void stdin!.write(part), { end: () => void stdin!.end() });
}

function datagramsTo(port: number) {
  const socket = createSocket('udp4').unref();
  return (part: Buffer) => {
    for (let at = 0; at < part.length; at += PAYLOAD) {
      socket.send(part.subarray(at, at + PAYLOAD), port, LOOPBACK);
    }
  };
}
