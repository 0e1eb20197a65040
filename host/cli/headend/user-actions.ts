import { TollcastError } from '../../../apdu/errors.ts';
import { OperatorClient } from './operator-client.ts';
import type { EraseOptions } from './user-commands.ts';

const PATH = '/v1/operator/users';
/** Users that are asked for at a time. */
const PAGE = 100;

/** Lists all users, one of them a line of JSON. */
export async function listUsers(config: string): Promise<void> {
  const client = await OperatorClient.open(config);
  for (let after = ''; ;) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(after !== '' && { after }) });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
    const { users } = (await client.ask('GET', `${PATH}?${query.toString()}`)) as {
      readonly users: readonly { readonly name: string }[];
    };
    for (const user of users) process.stdout.write(`${JSON.stringify(user)}\n`);
    if (users.length < PAGE) return;
    after = users.at(-1)!.name;
  }
}

/** Writes all that is held about a user, one JSON object with a list for each part. */
export async function exportUser(name: string, config: string): Promise<void> {
  const client = await OperatorClient.open(config);
  const path = `${PATH}/${encodeURIComponent(name)}/data`;
  let before = '';
  for (let after: string | undefined = ''; after !== undefined;) {
    const query: string = after === '' ? '' : `?${new URLSearchParams({ after }).toString()}`;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API's schema of the route says so.
    const page = (await client.ask('GET', `${path}${query}`)) as {
      readonly part: string;
      readonly rows: readonly unknown[];
      readonly next?: string;
    };
    const rows = page.rows.map((row) => JSON.stringify(row)).join(',\n');
    const isNew = page.part !== before;
    const end = before === '' ? '{' : '],';
    if (isNew) process.stdout.write(`${end}\n${JSON.stringify(page.part)}: [`);
    if (rows !== '') process.stdout.write(`${isNew ? '' : ','}\n${rows}`);
    before = page.part;
    after = page.next;
  }
  process.stdout.write(']\n}\n');
}

/** Erases who a user is. @throws TollcastError `NOT_CONFIRMED`. */
export async function eraseUser(name: string, { archived, yes, config }: EraseOptions): Promise<void> {
  if (yes !== true) {
    throw new TollcastError('NOT_CONFIRMED', 'erasing cannot be taken back; nothing was done: add --yes to erase');
  }
  const client = await OperatorClient.open(config);
  const query = archived === true ? '?archived=yes' : '';
  const answer = await client.ask('DELETE', `${PATH}/${encodeURIComponent(name)}${query}`);
  const pseudonym = String(Reflect.get(Object(answer), 'pseudonym'));
  const isOverwritten = Reflect.get(Object(answer), 'isOverwritten') === true;
  process.stdout.write(
    `erased; what the ledger, invoices and the log of requests keep is under ${pseudonym}\n` +
      (isOverwritten ? '' : 'octets of it are in the database until the next start of the head-end\n') +
      'delete it from your backups and logs, too\n',
  );
}
