import { PcscError } from './pcsc-error.ts';

/** The parts of the npm package pcsclite 1.0 that are used, `start` among them, which its own types leave out. */
export interface NativeContext {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'reader', listener: (reader: NativeReader) => void): unknown;
  start: (callback: NativeCallback<Buffer | undefined>) => void;
  close(): void;
}

export interface NativeReader {
  readonly name: string;
  connected: boolean;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'status', listener: (status: { state: number; atr?: Buffer }) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  connect(options: { share_mode: number; protocol: number }, callback: NativeCallback<number>): void;
  transmit(command: Buffer, answerOctets: number, protocol: number, callback: NativeCallback<Buffer>): void;
  control(data: Buffer, controlCode: number, answerOctets: number, callback: NativeCallback<Buffer>): void;
  SCARD_CTL_CODE(code: number): number;
  disconnect(disposition: number, callback: (error: unknown) => void): void;
  close(): void;
}

export type NativeCallback<T> = (error: unknown, value: T) => void;

/** @throws PcscError with code PCSC_NOT_INSTALLED. */
export async function loadPcsclite(): Promise<() => NativeContext> {
  try {
    const module: unknown = await import('pcsclite');
    if (isPcsclite(module)) return module.default;
    throw new Error('it exports no function');
  } catch (cause) {
    throw new PcscError(
      'PCSC_NOT_INSTALLED',
      'the npm package pcsclite does not load; install libpcsclite-dev and run `npm rebuild pcsclite`, ' +
        'or use a card at tcp:HOST:PORT or soft',
      0,
      { cause },
    );
  }
}

function isPcsclite(module: unknown): module is { default: () => NativeContext } {
  return typeof module === 'object' && module !== null && 'default' in module && typeof module.default === 'function';
}
