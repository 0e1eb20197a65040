import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderInvoice } from '../../../../host/headend/billing/invoices/invoice-page.ts';
import { type InvoiceItem, makeInvoice } from '../../../../host/headend/billing/invoices/invoice.ts';
import { computeTaxes } from '../../../../host/headend/billing/invoices/tax-rule.ts';
import { currencyByCode } from '../../../../host/money/currency.ts';

const USD = currencyByCode('USD');
const VAT = { name: 'VAT', rate: 1900 };
const item = (amount: bigint, more: Partial<InvoiceItem> = {}): InvoiceItem => ({
  entry: 1,
  kind: 'charge',
  at: 0,
  note: null,
  service: 7,
  amount,
  ...more,
});
const draft = (items: readonly InvoiceItem[], carried = 0n) => ({
  account: 'user:ann',
  period: '2026-11',
  currency: USD,
  items,
  carried,
});

describe('an invoice', () => {
  test('adds up what is to be paid, and tells what a card has paid already', () => {
    const { document, payable } = makeInvoice(
      draft([item(2_500_000n), item(6_250_000n, { kind: 'receipt', card: '0a1b2c-02-00000001' })]),
      [],
    );
    expect(document).toMatchObject({ total: '8.75 USD', paidByCard: '6.25 USD', payable: '2.50 USD' });
    expect(payable).toBe(2_500_000n);
  });

  test('what is less than a cent goes onto the next invoice', () => {
    const { document, payable, carried } = makeInvoice(draft([item(2_500_018n)], 9_990n), []);
    expect([payable, carried]).toEqual([2_510_000n, 8n]);
    expect(document).toMatchObject({ carriedFrom: '0.00999 USD', payable: '2.51 USD', carriedTo: '0.000008 USD' });
  });

  test('months of what is given back carry their rest, too', () => {
    const { payable, carried } = makeInvoice(draft([item(-2_500_018n)]), []);
    expect([payable, carried]).toEqual([-2_500_000n, -18n]);
  });

  test('over any months, what was to be paid and what is carried come to the charges, to the micro-unit', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.bigInt(-(10n ** 12n), 10n ** 12n)), { minLength: 1 }), (months) => {
        let carried = 0n;
        let paid = 0n;
        for (const amounts of months) {
          const invoice = makeInvoice(
            draft(
              amounts.map((amount) => item(amount)),
              carried,
            ),
            [VAT],
          );
          paid += invoice.payable;
          carried = invoice.carried;
          expect(invoice.payable % 10_000n).toBe(0n);
        }
        expect(paid + carried).toBe(months.flat().reduce((sum, amount) => sum + amount, 0n));
      }),
    );
  });
});

describe('a tax that prices contain', () => {
  test.each([
    [119_000_000n, 19_000_000n],
    [2_500_000n, 399_160n],
    [-2_500_000n, -399_160n],
    [1n, 0n],
  ])('of %d it is %d, rounded once', (amount, tax) => {
    expect(computeTaxes([VAT], 7, amount).reduce((sum, one) => sum + one.amount, 0n)).toBe(tax);
  });

  test('is on the services that it names, and several taxes are of the same price without them', () => {
    const rules = [VAT, { name: 'city', rate: 100, services: [7] }];
    expect(computeTaxes(rules, 8, 119n).map(({ rule, amount }) => [rule, amount])).toEqual([['VAT', 19n]]);
    expect(computeTaxes(rules, 7, 12_000n).map(({ rule, amount }) => [rule, amount])).toEqual([
      ['VAT', 1900n],
      ['city', 100n],
    ]);
  });

  test('is on the sum of a service, not on each line', () => {
    const { taxes } = makeInvoice(draft([item(1n), item(1n), item(1n)]), [VAT]);
    // 3 x 0.19 / 1.19 is 0.48, and 3 times 0 is 0.
    expect(taxes).toEqual([]);
    expect(makeInvoice(draft([1n, 1n, 1n, 1n].map((one) => item(one))), [VAT]).taxes).toMatchObject([{ amount: 1n }]);
  });
});

test('a page shows names as text, whatever they are', () => {
  const { document } = makeInvoice(draft([item(1n, { note: '<script>alert(1)</script>' })]), [VAT]);
  const page = renderInvoice(
    { number: 1, issuedAt: 0, corrects: null, document: { ...document, account: 'user:<b>&"' } },
    { from: '<i>', services: new Map([[7, '<u>']]) },
  );
  expect(page).not.toMatch(/<(?:script|b|i|u)>/);
  expect(page).toContain('user:&lt;b&gt;&amp;&quot;');
});
