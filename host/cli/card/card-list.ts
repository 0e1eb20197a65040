import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { CardGoneError, FormatError, TransportError } from '../../../apdu/errors.ts';
import { StatusWordError } from '../../../apdu/iso7816/status-word.ts';
import { toHex } from '../../../apdu/octets.ts';
import { type CardAddress, openCard } from '../../transport/card/card-address.ts';
import { pcscPlace, tokenPlace } from '../../transport/card/card-place.ts';
import { nameLender } from '../../transport/card/lending/lent-card.ts';
import { PcscError } from '../../transport/card/pcsc/pcsc-error.ts';
import { listReaders, type ReaderInfo, waitForAnyCard } from '../../transport/card/pcsc/readers.ts';
import { listTokens, waitForAnyToken } from '../../transport/card/token/plugged-tokens.ts';
import { print, printWaiting } from '../options/card-option.ts';

interface ListOptions {
  readonly wait?: true;
  readonly json?: true;
}

/** A reader, and the decode module that answered in it. */
interface ReaderReport {
  readonly reader: string;
  readonly state: ReaderInfo['state'];
  readonly atr: string;
  readonly module: { readonly card: string; readonly life: string; readonly version: number } | null;
  /** The program that has the card, where it lends it. */
  readonly usedBy?: string;
  /** Why the card could not be asked. */
  readonly problem?: string;
}

/** A token, and the decode module in it. */
interface TokenReport {
  /** As `--card` takes it. */
  readonly token: string;
  readonly product: string;
  readonly module: ReaderReport['module'];
  readonly usedBy?: string;
  readonly problem?: string;
}

/** `tollcast card list` */
export async function listCards(options: ListOptions): Promise<void> {
  if (options.wait === true) await waitForAny();
  const tokens = await inspectTokens();
  const reports: ReaderReport[] = [];
  const lines = tokens.map(describeToken);
  try {
    for (const reader of await listReaders()) reports.push(await inspectReader(reader));
    lines.push(...reports.map(describeReader));
    if (lines.length === 0) lines.push('no card reader and no token is connected; plug one in');
  } catch (error) {
    // Who has a token may have no pcscd.
    if (!(error instanceof PcscError) || tokens.length === 0) throw error;
    lines.push(`no readers: ${error.message}`);
  }
  print(options, { readers: reports, tokens }, lines);
}

/** Waits for a card in any reader, or for a token. */
async function waitForAny(): Promise<void> {
  const over = new AbortController();
  const token = waitForAnyToken(over.signal);
  const card = waitForAnyCard(printWaiting, over.signal);
  card.catch((error: unknown) => {
    if (error instanceof PcscError) printWaiting(error);
  });
  try {
    // Where there is no PC/SC a token can still come, and where there is no HID a card.
    await Promise.any([token, card]);
  } catch {
    await card;
  } finally {
    over.abort();
    await Promise.allSettled([token, card]);
  }
}

/** No token is found where the bindings of HID and USB are missing; `--card hid` says so. */
async function inspectTokens(): Promise<TokenReport[]> {
  const tokens = await listTokens().catch((error: unknown) => {
    if (error instanceof TransportError) return [];
    throw error;
  });
  const reports: TokenReport[] = [];
  for (const { kind, serial, product } of tokens) {
    const usedBy = await nameLender(tokenPlace(serial));
    const { module, problem } = await inspectCard({ kind, serial });
    const found = { token: `${kind}:${serial}`, product, module, ...(usedBy !== undefined && { usedBy }) };
    reports.push({ ...found, ...(problem !== undefined && { problem }) });
  }
  return reports;
}

function describeToken({ token, product, module, usedBy, problem }: TokenReport): string {
  const name = product === '' ? token : `${token} (${product})`;
  if (module === null) return `${name}: ${problem ?? 'not a decode module'}`;
  return `${name}: decode module ${module.card}, ${module.life}${usedBy === undefined ? '' : `, in use by ${usedBy}`}`;
}

/** What a card says of itself. */
interface Inspection {
  readonly module: ReaderReport['module'];
  readonly problem?: string;
  readonly isInUse?: boolean;
}

async function inspectCard(address: CardAddress): Promise<Inspection> {
  try {
    const channel = await openCard(address);
    try {
      const { cardId, life, version } = await new DecodeModule(channel).select();
      return { module: { card: formatCardId(cardId), life, version } };
    } finally {
      await channel.close();
    }
  } catch (error) {
    if (error instanceof StatusWordError || error instanceof FormatError) return { module: null }; // of another kind
    if (!(error instanceof TransportError || error instanceof CardGoneError)) throw error;
    return { module: null, problem: error.message, isInUse: error.code === 'PCSC_IN_USE' };
  }
}

/**
 * Asks a card that another program has open through that program, where it lends it, and else leaves it alone: a SELECT
 * would end what that program does.
 */
async function inspectReader({ name, state, atr }: ReaderInfo): Promise<ReaderReport> {
  const usedBy = state === 'in-use' ? await nameLender(pcscPlace(name)) : undefined;
  const report = { reader: name, state, atr: toHex(atr), module: null, ...(usedBy !== undefined && { usedBy }) };
  if (state !== 'card' && usedBy === undefined) return report;
  const { isInUse = false, ...inspected } = await inspectCard({ kind: 'pcsc', reader: name });
  return { ...report, ...inspected, state: isInUse ? 'in-use' : state };
}

function describeReader({ reader, state, atr, module, usedBy, problem }: ReaderReport): string {
  if (state === 'empty') return `${reader}: no card`;
  const card = `${reader}: card ${atr}`;
  const use = usedBy === undefined ? '' : `, in use by ${usedBy}`;
  if (module !== null) return `${card}, decode module ${module.card}, ${module.life}${use}`;
  if (state === 'in-use') return `${card}, in use by another program`;
  if (state === 'mute') return `${card}, does not answer; insert it the other way round, or clean its contacts`;
  return `${card}, ${problem ?? 'not a decode module'}`;
}
