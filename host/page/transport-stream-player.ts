import type Library from 'mpegts.js';
import { concat } from '../../apdu/octets.ts';
import { MAX_PICTURE_WAIT } from '../player/picture/picture-output.ts';
import { PictureTracker } from '../player/picture/picture-tracker.ts';
import type { ClearPackets } from '../stream/opening/clear-packets.ts';
import type { OnUnplayable, StreamPlayer } from './stream-player.ts';

declare global {
  /** The page has it from a script of its own. */
  var mpegts: typeof Library.default;
}

/** mpegts.js's own word for a loader that is getting data. */
const IS_BUFFERING = 2;

/** Plays a transport stream by mpegts.js, from the first whole picture on. */
export class TransportStreamPlayer implements StreamPlayer {
  readonly #player: Library.default.Player;
  #loader: Library.default.BaseLoader | undefined;
  #tracker: PictureTracker | undefined = new PictureTracker();
  readonly #since = performance.now();
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #octets = 0;

  constructor(video: HTMLVideoElement, onUnplayable: OnUnplayable) {
    const opened = (loader: Library.default.BaseLoader) => {
      this.#loader = loader;
      for (const octets of this.#waiting.splice(0)) this.#hand(octets);
    };
    this.#player = mpegts.createPlayer(
      { type: 'mpegts', isLive: true, url: 'bridge:' },
      { customLoader: makeLoader(opened), enableStashBuffer: false, autoCleanupSourceBuffer: true, liveSync: true },
    );
    this.#player.on(mpegts.Events.ERROR, onUnplayable);
    this.#player.attachMediaElement(video);
    this.#player.load();
  }

  write({ payload }: ClearPackets): void {
    const octets =
      this.#tracker === undefined
        ? payload.slice()
        : enter(payload, this.#tracker, performance.now() - this.#since > MAX_PICTURE_WAIT);
    if (octets === undefined) return;
    this.#tracker = undefined;
    if (this.#loader === undefined) this.#waiting.push(octets);
    else this.#hand(octets);
  }

  end(): void {
    this.#loader?.onComplete(0, this.#octets);
  }

  close(): void {
    this.#loader = undefined;
    this.#player.destroy();
  }

  #hand(octets: Uint8Array<ArrayBuffer>): void {
    const start = this.#octets;
    this.#octets += octets.length;
    this.#loader?.onDataArrival(octets.buffer, start, this.#octets);
  }
}

/** What a player gets that begins with these packets; nothing while no picture begins in them and it is not late. */
function enter(payload: Uint8Array, tracker: PictureTracker, isLate: boolean): Uint8Array<ArrayBuffer> | undefined {
  const entry = tracker.findEntry(payload);
  if (entry === undefined && !isLate) return undefined;
  if (entry === undefined || entry === 'anywhere') return payload.slice();
  return concat(entry.tables, payload.subarray(entry.offset)).slice();
}

/* oxlint-disable no-underscore-dangle -- Names that mpegts.js gives its own. */
/** Makes the class by which mpegts.js gets what a bridge opens, in place of what it would load. */
function makeLoader(onOpen: (loader: Library.default.BaseLoader) => void): Library.default.CustomLoaderConstructor {
  // oxlint-disable-next-line typescript/no-deprecated -- As a value it has no other name.
  return class BridgeLoader extends mpegts.BaseLoader {
    constructor() {
      super('bridge');
      this._needStash = false;
    }

    override open(): void {
      this._status = IS_BUFFERING;
      onOpen(this);
    }

    override abort(): void {
      this._status = 0;
    }
  };
}
