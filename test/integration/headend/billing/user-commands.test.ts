import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runHeadend } from '../../../support/headend/billing-commands.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../../support/headend/headend-fixture.ts';

const CARDS = ['0a1b2c-02-00000001', '0a1b2c-02-00000002'] as const;

let fixture: HeadendFixture;
let config: string;

beforeAll(async () => {
  fixture = await startHeadend([]);
  const { directory, port } = fixture;
  config = join(directory, 'tv.json');
  const places = { listen: `127.0.0.1:${port}`, state: `${directory}/state`, issuer: `${directory}/issuer` };
  await writeFile(config, JSON.stringify({ ...places, services: [] }));
});

afterAll(() => fixture[Symbol.asyncDispose]());

function headend(...args: string[]): Promise<string> {
  return runHeadend(...args, '--config', config);
}

async function changes(): Promise<string[]> {
  const answer = readJson(await fixture.askOperator('GET', '/v1/operator/changes'));
  return (answer as { changes: { action: string; subject: string }[] }).changes.map(
    ({ action, subject }) => `${action}: ${subject}`,
  );
}

describe('users and their cards', () => {
  test('a card is its own user until it is given to one; one user has several, a card one user', async () => {
    expect(JSON.parse(await headend('user', 'list', CARDS[0]))).toMatchObject({ cards: [{ card: CARDS[0] }] });
    for (const card of CARDS) await headend('user', 'join', 'ann', card);
    await headend('user', 'join', 'ann', CARDS[0]);
    const { cards } = JSON.parse(await headend('user', 'list', 'ann')) as { cards: { card: string }[] };
    expect(cards.map(({ card }) => card)).toEqual(CARDS);
    expect(JSON.parse(await headend('user', 'list', CARDS[0]))).toMatchObject({ cards: [] });
    await expect(headend('user', 'join', 'bo', CARDS[0])).rejects.toThrow('is of another user');
    await headend('user', 'part', 'ann', CARDS[0]);
    await expect(headend('user', 'part', 'ann', CARDS[0])).rejects.toThrow('ann has no card');
    expect(JSON.parse(await headend('user', 'list', 'ann'))).toMatchObject({ cards: [{ card: CARDS[1] }] });
  });

  test('who a person is can be written down, changed and taken away', async () => {
    await headend('user', 'put', 'ann', '--person', 'Ann Example', '--contact', 'ann@example.org');
    await headend('user', 'put', 'ann', '--address', '1 Pier Road', '--contact', '');
    const listed = (await headend('user', 'list')).trim().split('\n');
    expect(listed.map((line): unknown => JSON.parse(line))).toMatchObject([
      { name: 'ann', person: 'Ann Example', contact: null, address: '1 Pier Road' },
    ]);
  });

  test('it is there after a restart, and each change has its operator; what was written of a person has not', async () => {
    await fixture.restart();
    expect(JSON.parse(await headend('user', 'list', 'ann'))).toMatchObject({ cards: [{ card: CARDS[1] }] });
    const logged = await changes();
    expect(logged).toEqual(
      expect.arrayContaining([
        `join card: user ann, card ${CARDS[0]}`,
        `part card: user ann, card ${CARDS[0]}`,
        'put user: user ann: address, contact',
      ]),
    );
    expect(logged.join()).not.toContain('Pier Road');
  });

  test('nobody but an operator sees or changes anything', async () => {
    const refused = await Promise.all([
      fixture.ask('GET', '/v1/operator/users'),
      fixture.ask('GET', '/v1/operator/users/ann'),
      fixture.ask('PUT', '/v1/operator/users/ann'),
      fixture.ask('PUT', `/v1/operator/users/ann/cards/${CARDS[0]}`),
      fixture.ask('DELETE', `/v1/operator/users/ann/cards/${CARDS[1]}`),
    ]);
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    expect((await fixture.askOperator('GET', '/v1/operator/users/nobody')).status).toBe(404);
  });
});
