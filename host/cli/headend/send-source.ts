import { InputError } from '../../../apdu/errors.ts';
import type { SealingProfile } from '../../headend/sender/sealing-profile.ts';
import { detectFormat, type Detected } from '../../headend/sources/detect-format.ts';
import { openFileCarousel } from '../../headend/sources/file/file-carousel.ts';
import { openSource } from '../../headend/sources/open-source.ts';
import type { SourceFormat } from '../../headend/sources/source-format.ts';
import { TS_PACKET } from '../../headend/sources/ts/ts-packet.ts';
import type { FileDescription } from '../../stream/file/file-description.ts';

/** What is sent, as it stands on the command line: one of `source` and `file`. */
export interface SendSourceOptions {
  readonly source?: string;
  readonly file?: string;
  readonly passes?: number;
  readonly format: 'auto' | SourceFormat;
  readonly interface: string;
}

/** An open source, and the description of what is to be received as a whole file. */
export interface SendSource extends Detected {
  readonly file?: FileDescription;
}

/** @throws InputError when what is to be sent is not exactly one thing. */
export function requireOneSource({ source, file, passes }: SendSourceOptions): void {
  if (source === undefined ? file === undefined : file !== undefined || passes !== undefined) {
    throw new InputError('name either --source, or --file with --passes');
  }
}

/**
 * Opens what is to be sent.
 * @throws InputError when it is not exactly one thing, or the mode does not authenticate where a piece of a file belongs.
 * @throws TransportError `SOURCE`; TollcastError `EMPTY_SOURCE`.
 */
export async function openSendSource(
  options: SendSourceOptions,
  profile: SealingProfile,
  signal: AbortSignal,
): Promise<SendSource> {
  const { source, file, passes, format } = options;
  requireOneSource(options);
  if (file === undefined) {
    const media = await openSource(source!, options.interface, signal);
    return detectFormat(media, format === 'auto' ? undefined : format);
  }
  if (profile.mode !== 'sealed') {
    throw new InputError('only mode sealed tells for sure where a piece of a file belongs; leave out --mode');
  }
  const carousel = await openFileCarousel(file, { pieceLength: profile.packing * TS_PACKET, passes }, signal);
  return { ...carousel, format: 'data', isLive: false };
}

/** What is sent, for people. */
export function nameSource({ source, file }: Pick<SendSourceOptions, 'source' | 'file'>): string {
  return source === '-' ? 'standard input' : (source ?? file ?? 'nothing');
}
