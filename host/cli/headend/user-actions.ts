import { OperatorClient } from './operator-client.ts';

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
