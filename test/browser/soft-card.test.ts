import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLA_ISO, INS } from '../../apdu/decode-module/instruction.ts';
import { MODULE_AID } from '../../apdu/decode-module/select-answer.ts';
import { encodeCommand } from '../../apdu/iso7816/command-apdu.ts';
import { toHex } from '../../apdu/octets.ts';
import { readVectors } from '../conformance/vectors.ts';
import { serveModules } from '../support/page-modules.ts';

const EXECUTABLE = '/usr/bin/chromium';
/** What the page is asked to do runs in it, as text: its modules are not those of this process. */
const OPEN = `(async () => {
  const { PageStore, SoftCard } = await import('/card-sim/page.ts');
  const { SoftChannel } = await import('/host/transport/page.ts');
  const { fromHex, toHex } = await import('/apdu/octets.ts');
  const store = await PageStore.open('test');
  const card = new SoftCard(store);
  const channel = new SoftChannel(card);
  globalThis.card = {
    ask: async (command) => toHex(await channel.transmit(fromHex(command))),
    reset: () => void card.powerOn(),
    erase: () => card.erase(),
    close: () => store.close(),
  };
})()`;
const SELECT_MODULE = toHex(encodeCommand({ cla: CLA_ISO, ins: INS.SELECT, p1: 4, p2: 0, data: MODULE_AID, le: 256 }));

let browser: Browser;
let context: BrowserContext;
let site: Server;
let page: Page;

beforeAll(async () => {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is not there; type: scripts/setup browser`);
  site = serveModules().listen(0, '127.0.0.1');
  await once(site, 'listening');
  browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-gpu'] });
});

afterAll(async () => {
  await browser?.close();
  site?.close();
});

beforeEach(async () => {
  context = await browser.newContext();
  page = await openPage();
  await page.evaluate(OPEN);
});

afterEach(() => context.close());

async function openPage(): Promise<Page> {
  const address = site.address();
  if (address === null || typeof address === 'string') throw new Error('the site does not listen');
  const opened = await context.newPage();
  await opened.goto(`http://127.0.0.1:${address.port}/`);
  return opened;
}

function ask(command: string): Promise<string> {
  return page.evaluate(`card.ask(${JSON.stringify(command)})`);
}

test.each(['commands', 'purse', 'decode', 'receipts'])(
  'a soft card in a page answers the vectors: %s',
  async (topic) => {
    const { beginnings, cases } = readVectors(topic);
    const asked = cases
      .map(({ name, from, steps }) => ({ name, steps: [...beginnings[from], ...steps] }))
      .filter(({ steps }) => steps.every((step) => step === 'reset' || (typeof step !== 'string' && step[1] !== null)));
    expect(asked.length).toBeGreaterThan(0);
    const wrong = await page.evaluate(`(async (cases) => {
    const wrong = [];
    for (const { name, steps } of cases) {
      card.erase();
      for (const step of steps) {
        if (step === 'reset') card.reset();
        else {
          const answer = await card.ask(step[0]);
          if (answer !== step[1]) wrong.push([name, step[0], answer, step[1]]);
        }
      }
    }
    return wrong;
  })(${JSON.stringify(asked)})`);
    expect(wrong).toEqual([]);
  },
);

test('what the card wrote before an answer is there after a reload in the middle of it all', async () => {
  const { beginnings } = readVectors('purse');
  const blank = await ask(SELECT_MODULE);
  for (const step of beginnings.active) {
    if (typeof step !== 'string') expect(await ask(step[0])).toBe(step[1]);
  }
  await page.evaluate('card.reset()');
  const active = await ask(SELECT_MODULE);
  expect(active).toHaveLength(blank.length);
  expect(active).not.toBe(blank);
  await page.reload();
  await page.evaluate(OPEN);
  expect(await ask(SELECT_MODULE)).toBe(active);
});

test('a card is in one tab at a time', async () => {
  const second = await openPage();
  await expect(second.evaluate(OPEN)).rejects.toThrow(/another tab of this browser has the card; close that tab/);
  await page.evaluate('card.close()');
  await second.evaluate(OPEN);
  await page.close();
});
