import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { InputError } from '../../../apdu/errors.ts';
import { systemClock } from '../../clock/clock.ts';
import { readConfig } from '../../headend/config/read-config.ts';
import { Operators } from '../../headend/roles/operators.ts';
import { openHeadendStore } from '../../store/headend/headend-store.ts';
import { formatTime } from '../terminal/time.ts';
import { OperatorClient } from './operator-client.ts';

/** Sells a service, or sells it otherwise. @param file its definition. */
export async function putService(file: string, config: string): Promise<void> {
  const definition = await readDefinition(file);
  const number = Number(Reflect.get(definition, 'number'));
  if (!Number.isInteger(number)) throw new InputError(`${file} names no number of a service; add it`);
  await change(config, 'PUT', `/v1/operator/services/${number}`, definition);
}

/** Adds a session to a service, or changes it. @param file its definition. */
export async function putSession(number: number, file: string, config: string): Promise<void> {
  const definition = await readDefinition(file);
  const name = encodeURIComponent(String(Reflect.get(definition, 'name')));
  await change(config, 'PUT', `/v1/operator/services/${number}/sessions/${name}`, definition);
}

/** Changes something by the API. */
export async function change(config: string, method: 'PUT' | 'DELETE', path: string, body?: unknown): Promise<void> {
  await (await OperatorClient.open(config)).ask(method, path, body);
}

/** Lets a card fetch a load that was paid at the desk, or a line of credit. @param name what the operator calls it. */
export async function grantLoad(
  card: string,
  name: string,
  { amount, creditLimit, config }: { readonly amount: string; readonly creditLimit?: true; readonly config: string },
): Promise<void> {
  const body = { card, amount, kind: creditLimit === true ? 'credit limit' : 'cash' };
  await change(config, 'PUT', `/v1/operator/credits/${encodeURIComponent(name)}`, body);
  process.stdout.write(`${amount} wait for card ${card}; its holder types: tollcast card load --head-end URL\n`);
}

/** Has a new card take the place of one that was lost. */
export async function replaceCard(card: string, newCard: string, config: string): Promise<void> {
  const path = `/v1/operator/cards/${encodeURIComponent(card)}/replacement`;
  const answer = await (await OperatorClient.open(config)).ask('PUT', path, { card: newCard });
  const dueAt = Number(Reflect.get(Object(answer), 'dueAt'));
  process.stdout.write(
    `card ${card} gets nothing any more; what is left of it card ${newCard} fetches after ${formatTime(dueAt)}: ` +
      'tollcast card load --head-end URL\n',
  );
}

/** Makes vouchers, whose codes are printed. @param name what the operator calls them; one at random when left out. */
export async function makeVouchers(
  name: string = randomUUID(),
  { count, amount, config }: { readonly count: number; readonly amount: string; readonly config: string },
): Promise<void> {
  const path = `/v1/operator/vouchers/${encodeURIComponent(name)}`;
  const answer = await (await OperatorClient.open(config)).ask('PUT', path, { count, amount });
  const codes: unknown = Reflect.get(Object(answer), 'codes');
  for (const code of Array.isArray(codes) ? codes : []) process.stdout.write(`${String(code)}\n`);
}

/** Prints what the API says, JSON. */
export async function show(config: string, path: string): Promise<void> {
  const answer = await (await OperatorClient.open(config)).ask('GET', path);
  process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
}

/** Adds an operator, whose token is printed. */
export async function addOperator(name: string, config: string): Promise<void> {
  await using store = await openState(config);
  process.stdout.write(`${await new Operators(store, systemClock).add(name)}\n`);
}

export async function removeOperator(name: string, config: string): Promise<void> {
  await using store = await openState(config);
  const wasThere = await new Operators(store, systemClock).remove(name);
  if (!wasThere) throw new InputError(`there is no operator ${name.slice(0, 60)}; check the name`);
}

async function readDefinition(file: string): Promise<object> {
  try {
    const value: unknown = parse(await readFile(file, 'utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // The refusal below says it.
  }
  throw new InputError(`${file} is not a definition in YAML or JSON; write it as it stands in a configuration`);
}

async function openState(config: string): ReturnType<typeof openHeadendStore> {
  const { plan } = await readConfig(config);
  return openHeadendStore(plan.state);
}
