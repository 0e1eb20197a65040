import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { renderStatement } from '../../host/cli/billing/statement-page.ts';
import { MAX_BILL_LINES } from '../../host/contract/bill/user-bill.ts';
import { renderInvoice } from '../../host/headend/billing/invoices/invoice-page.ts';
import { type InvoiceItem, makeInvoice } from '../../host/headend/billing/invoices/invoice.ts';
import { currencyByCode } from '../../host/money/currency.ts';

const EXECUTABLE = '/usr/bin/chromium';
/** A4 less its margins of 16 mm, at 96 px an inch. */
const A4 = { width: 673, height: 987 };
const HOSTILE = '<script>document.title = "run"</script><img src=x onerror="document.title = 1">';
const LONG = 'Donaudampfschifffahrtsgesellschaft'.repeat(6);

let browser: Browser;
let page: Page;

beforeAll(async () => {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is not there; type: scripts/setup browser`);
  browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-gpu'] });
});

afterAll(() => browser?.close());

beforeEach(async () => {
  page = await browser.newPage();
});

afterEach(() => page.close());

/** A month of sixty things, by purse and by invoice, and what was given back; names that do not fit or want to run. */
function makePage(): string {
  const at = Date.UTC(2026, 10, 1) / 1000;
  const items = Array.from({ length: 60 }, (_, i): InvoiceItem => {
    const place = { entry: i + 1, at: at + i * 40_000, note: null, service: i % 3 === 0 ? 7 : 8 };
    const from = place.at;
    const bill = { session: 'a', from, to: from + 1800, octets: 25_000_000n };
    if (i === 5) return { ...place, kind: 'refund', note: HOSTILE, amount: -500_000n };
    if (i === 6) return { ...place, kind: 'refund', note: LONG, amount: -1n };
    if (i % 2 === 0) {
      return { ...place, kind: 'receipt', card: '0a1b2c-02-00000001', amount: 6_250_000n, bill };
    }
    return { ...place, kind: 'charge', amount: 2_500_017n, bill: { ...bill, tariff: 'duration', price: 5_000_000n } };
  });
  const draft = { account: `user:${LONG}`, period: '2026-11', currency: currencyByCode('USD'), items, carried: 9_990n };
  const { document } = makeInvoice(draft, [{ name: 'VAT', rate: 1900 }]);
  return renderInvoice(
    { number: 31, issuedAt: at + 2_600_000, corrects: null, document },
    {
      from: 'Harbour Television\n1 Pier Road\nPort of Somewhere',
      to: `Ann ${HOSTILE}\n${LONG}`,
      services: new Map([
        [7, HOSTILE],
        [8, LONG],
      ]),
    },
  );
}

/** Elements that reach out of the page, or whose content is wider than they are. */
const CUT = `[...document.querySelectorAll('body, body *')].filter((element) => {
  const { left, right } = element.getBoundingClientRect();
  const isWide = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline';
  return left < 0 || right > document.documentElement.clientWidth + 0.5 || isWide;
}).map((element) => element.tagName + ': ' + element.textContent.slice(0, 60))`;

/** Micro-units of all lines, and of the total, as they stand on the page. */
const SUMS = `(() => {
  const read = (text) => {
    const [, sign, units, rest = ''] = /^(-?)([0-9]+)(?:[.]([0-9]+))? USD$/.exec(text.trim());
    return BigInt(sign + '1') * (BigInt(units) * 1000000n + BigInt(rest.padEnd(6, '0')));
  };
  const cells = (rows) => [...document.querySelectorAll(rows)].map((row) => read(row.lastElementChild.textContent));
  return [cells('tbody tr').reduce((sum, one) => sum + one), cells('tfoot tr')[0]].map(String);
})()`;

/** As many lines as a statement shows, of a user whose name does not fit and wants to run. */
function makeStatement(): string {
  const lines = Array.from({ length: MAX_BILL_LINES }, (_, i) => ({
    entry: 1000 - i,
    kind: i % 7 === 0 ? 'payment' : 'charge',
    at: Date.UTC(2026, 10, 28) / 1000 - i * 3600,
    amount: i % 7 === 0 ? '-5.00 USD' : '2.500017 USD',
    ...(i === 3 && { dispute: 'open' as const }),
  }));
  return renderStatement({ user: `${HOSTILE}${LONG}`, owed: ['65.500714 USD', '3.00 EUR'], lines }, lines[0]!.at);
}

describe('a statement in Chromium', () => {
  test.each([
    ['telephone', 'screen', { width: 390, height: 800 }],
    ['paper', 'print', A4],
  ] as const)('on a %s nothing is cut and nothing runs', async (name, media, size) => {
    await page.setViewportSize(size);
    await page.emulateMedia({ media });
    await page.setContent(makeStatement());
    const folder = process.env['SCREENSHOTS'];
    if (folder !== undefined) await page.screenshot({ path: `${folder}/statement-${name}.png` });
    expect(await page.evaluate<string[]>(CUT)).toEqual([]);
    expect(await page.evaluate<number>('document.scripts.length + document.images.length')).toBe(0);
    expect(await page.title()).toContain('Statement of <script>');
    expect(await page.evaluate<string>('document.body.textContent')).toContain('65.500714 USD and 3.00 EUR');
    expect(await page.evaluate<number>('document.querySelectorAll("tbody tr").length')).toBe(MAX_BILL_LINES);
  });
});

describe('the page of an invoice in Chromium', () => {
  test('names are text and run nothing', async () => {
    await page.setContent(makePage());
    expect(await page.evaluate<number>('document.scripts.length + document.images.length')).toBe(0);
    expect(await page.title()).toBe('Invoice 31');
    // In the address, the note, each line of service 7 and its tax.
    const text = await page.evaluate<string>('document.body.textContent');
    expect(text.split(HOSTILE)).toHaveLength(1 + 1 + 1 + 20 + 1);
  });

  test('the lines add up to the total that is shown', async () => {
    await page.setContent(makePage());
    const [lines, total] = await page.evaluate<string[]>(SUMS);
    expect(lines).toBe(total);
  });

  test.each([
    ['a wide window', 'screen', { width: 1280, height: 800 }],
    ['a telephone', 'screen', { width: 390, height: 800 }],
    ['paper', 'print', A4],
  ] as const)('on %s nothing is cut, however long a name is', async (name, media, size) => {
    await page.setViewportSize(size);
    await page.emulateMedia({ media });
    await page.setContent(makePage());
    const folder = process.env['SCREENSHOTS'];
    if (folder !== undefined) await page.screenshot({ path: `${folder}/invoice-${name.replaceAll(' ', '-')}.png` });
    expect(await page.evaluate<string[]>(CUT)).toEqual([]);
  });

  test('printed it has several pages of A4, and no row is torn between two', async () => {
    await page.setContent(makePage());
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
    expect(pdf.match(/\/Type\s*\/Page\b/g)!.length).toBeGreaterThan(2);
    expect(pdf).toMatch(/\/MediaBox\s*\[\s*0 0 59[45](?:\.\d+)? 84[12](?:\.\d+)?\s*\]/);
    const rows = `[...document.querySelectorAll('tr')].every((row) => getComputedStyle(row).breakInside === 'avoid')`;
    expect(await page.evaluate<boolean>(rows)).toBe(true);
    const head = `getComputedStyle(document.querySelector('thead')).display`;
    expect(await page.evaluate<string>(head)).toBe('table-header-group');
  });
});
