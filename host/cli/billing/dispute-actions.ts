import type { Static } from 'typebox';
import type { DISPUTE } from '../../headend/api/replies/ledger-reply.ts';
import type { ConfigOption } from '../headend/config-option.ts';
import { OperatorClient } from '../headend/operator-client.ts';
import { print } from '../options/card-option.ts';
import { formatTime } from '../terminal/time.ts';
import type { RulingOptions } from './billing-disputes.ts';

type Dispute = Static<typeof DISPUTE>;

interface JsonOption extends ConfigOption {
  readonly json?: true;
}

const PATH = '/v1/operator/billing';
/** Disputes that are asked for at a time. */
const PAGE = 1000;

/** Disputes an entry. */
export async function dispute(entry: number, reason: string, options: JsonOption): Promise<void> {
  const opened = await ask<Dispute>(options.config, 'PUT', `${PATH}/entries/${entry}/dispute`, { reason });
  print(options, opened, describeDispute(opened));
}

export async function list({ open, ...options }: JsonOption & { readonly open?: true }): Promise<void> {
  const disputes: Dispute[] = [];
  for (let after = 0; ;) {
    const query = new URLSearchParams({
      after: String(after),
      limit: String(PAGE),
      ...(open === true && { state: 'open' }),
    });
    const answer = await ask<{ readonly disputes: readonly Dispute[] }>(
      options.config,
      'GET',
      `${PATH}/disputes?${query.toString()}`,
    );
    disputes.push(...answer.disputes);
    if (answer.disputes.length < PAGE) break;
    after = disputes.at(-1)!.id;
  }
  const lines = disputes.flatMap(describeDispute);
  print(options, { disputes }, lines.length === 0 ? ['nothing is disputed'] : lines);
}

/** Rules a dispute. */
export async function rule(
  id: number,
  ruling: 'upheld' | 'rejected',
  { config, json, note, amount }: RulingOptions,
): Promise<void> {
  const body = { ruling, note, ...(amount !== undefined && { amount }) };
  const ruled = await ask<Dispute>(config, 'PUT', `${PATH}/disputes/${id}/ruling`, body);
  print({ ...(json && { json }) }, ruled, describeDispute(ruled));
}

export function describeDispute({ id, entry, openedAt, openedBy, reason, state, ruling }: Dispute): string[] {
  const opened = `dispute ${id} of entry ${entry}, ${state}; opened ${formatTime(openedAt)} by ${openedBy}: ${reason}`;
  if (ruling === undefined) return [opened];
  const by = ruling.entry === null ? '' : `, by entry ${ruling.entry}`;
  return [opened, `  ${state} ${formatTime(ruling.at)} by ${ruling.by}${by}: ${ruling.note}`];
}

async function ask<T>(config: string, method: 'GET' | 'PUT', path: string, body?: unknown): Promise<T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
  return (await (await OperatorClient.open(config)).ask(method, path, body)) as T;
}
