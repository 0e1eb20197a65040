import { rmSync, statSync } from 'node:fs';
import { TransportError } from '../../../apdu/errors.ts';
import { toHex } from '../../../apdu/octets.ts';
import {
  DESCRIPTION_PIECE,
  type FileDescription,
  parseFileDescription,
  PAYLOAD_TYPE_FILE,
} from '../../stream/file/file-description.ts';
import type { ClearPackets } from '../../stream/opening/clear-packets.ts';
import type { GroupPreview, GroupVerdict } from '../../stream/opening/clear-sink.ts';
import { parseRtpHeader } from '../../stream/packet/rtp-packet.ts';
import type { FileProgress, Output } from '../output.ts';
import { ReceivedFile } from './received-file.ts';

/** What is done with a file that is sent piece by piece. */
export interface FileTarget {
  /** Where it goes; undefined where the output is not a place for a file. */
  readonly pathOf: (description: FileDescription) => string | undefined;
  /** Whether a file that is there may be replaced. */
  readonly overwrite: boolean;
  /** Whether damaged groups are paid for, and so their pieces twice; otherwise the next pass is waited for. */
  readonly takesDamaged: boolean;
}

/** Senders of one file that are remembered. */
const MAX_SENDERS = 16;

/** Passes streams on to another output, and puts files together. */
export class FileAwareOutput implements Output {
  readonly ended: Promise<TransportError | undefined>;
  readonly #stream: Output;
  readonly #target: FileTarget;
  readonly #end: (error: TransportError | undefined) => void;
  /** SSRCs of those that described the file. */
  readonly #senders = new Set<number>();
  #file: ReceivedFile | undefined;
  #progress: FileProgress | undefined;
  #isOver = false;
  #onReady: (() => void) | undefined;
  #finishing: Promise<void> | undefined;

  constructor(stream: Output, target: FileTarget) {
    this.#stream = stream;
    this.#target = target;
    const { promise, resolve } = Promise.withResolvers<TransportError | undefined>();
    this.ended = promise;
    this.#end = resolve;
    void stream.ended.then(resolve);
  }

  get where(): string {
    return this.#stream.where;
  }

  get lost(): number {
    return this.#stream.lost;
  }

  get withheld(): number {
    return this.#stream.withheld;
  }

  get isReady(): boolean {
    return !this.#isOver && this.#stream.isReady && (this.#file?.isReady ?? true);
  }

  get file(): FileProgress | undefined {
    if (this.#file === undefined) return this.#progress;
    const { description, received, missing } = this.#file;
    const { name, length, digest } = description;
    return { name, length, sha256: toHex(digest), received, missing, isComplete: false };
  }

  get onReady(): (() => void) | undefined {
    return this.#onReady;
  }

  set onReady(notify: (() => void) | undefined) {
    this.#onReady = notify;
    this.#stream.onReady = notify;
  }

  /** Pieces that are here are not paid for again; without a description it is not known where they belong. */
  judge(group: GroupPreview): GroupVerdict {
    const { payloadType, mode, ssrc } = group;
    if (payloadType !== PAYLOAD_TYPE_FILE) return this.#stream.judge?.(group) ?? 'wanted';
    if (mode !== 'sealed') return 'held';
    const numbers = group.timestamps();
    const isDescription = numbers[0] === DESCRIPTION_PIECE;
    const isWanted = isDescription
      ? !this.#senders.has(ssrc) && this.#senders.size < MAX_SENDERS
      : this.#senders.has(ssrc) && numbers.some((number) => this.#file?.lacks(number) === true);
    if (!isWanted) return 'held';
    return group.isComplete || this.#target.takesDamaged ? 'wanted' : 'damaged';
  }

  write(clear: ClearPackets): void {
    if (!hasFilePackets(clear)) {
      this.#stream.write(clear);
      return;
    }
    let payloadAt = 0;
    let headerAt = 0;
    for (let i = 0; i < clear.headerEnds.length; i++) {
      const payload = clear.payload.subarray(payloadAt, clear.payloadEnds[i]);
      const header = clear.headers.subarray(headerAt, clear.headerEnds[i]);
      payloadAt = clear.payloadEnds[i]!;
      headerAt = clear.headerEnds[i]!;
      if (isFilePacket(header, 0)) this.#takePiece(header, payload);
      else this.#stream.write({ payload, payloadEnds: [payload.length], headers: header, headerEnds: [header.length] });
    }
    const file = this.#file;
    if (file?.isWhole === true) this.#finishing ??= this.#finish(file);
    else if (file?.isReady === false) void this.#waitForDisk(file);
  }

  async close(): Promise<void> {
    await this.#finishing;
    await this.#file?.close();
    await this.#stream.close();
    // The empty file that a stream would have gone to.
    const { where } = this.#stream;
    if (this.#file !== undefined && isEmptyFile(where)) rmSync(where);
  }

  #takePiece(header: Uint8Array, payload: Uint8Array): void {
    const { timestamp: number, ssrc } = parseRtpHeader(header);
    if (this.#isOver) return;
    if (number !== DESCRIPTION_PIECE) {
      if (this.#senders.has(ssrc)) this.#file?.add(number, payload);
      return;
    }
    const description = parseFileDescription(payload);
    if (description === undefined) return;
    try {
      this.#file ??= this.#open(description);
      if (toHex(this.#file.description.digest) === toHex(description.digest)) this.#senders.add(ssrc);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#fail(error);
    }
  }

  #open(description: FileDescription): ReceivedFile {
    const path = this.#target.pathOf(description);
    if (path !== undefined) return new ReceivedFile(description, path, this.#target.overwrite || isEmptyFile(path));
    throw new TransportError(
      'OUTPUT',
      `what is sent is a file, ${description.name} of ${description.length} octets; name a file or a folder with --out`,
    );
  }

  async #finish(file: ReceivedFile): Promise<void> {
    this.#isOver = true;
    try {
      await file.finish();
      this.#progress = { ...this.file!, isComplete: true };
      await file.close();
      this.#file = undefined;
      this.#end(undefined);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#end(error);
    }
  }

  async #waitForDisk(file: ReceivedFile): Promise<void> {
    try {
      await file.flush();
      this.#onReady?.();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#fail(error);
    }
  }

  #fail(error: TransportError): void {
    this.#isOver = true;
    this.#end(error);
  }
}

function hasFilePackets({ headers, headerEnds }: ClearPackets): boolean {
  let at = 0;
  for (const end of headerEnds) {
    if (isFilePacket(headers, at)) return true;
    at = end;
  }
  return false;
}

/** RFC 3550 5.1: the payload type. */
function isFilePacket(headers: Uint8Array, at: number): boolean {
  return (headers[at + 1]! & 0x7f) === PAYLOAD_TYPE_FILE;
}

function isEmptyFile(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size === 0;
}
