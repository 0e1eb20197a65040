import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../../host/headend/config/read-config.ts';

const HARBOUR = `
services:
  - number: 7
    name: Harbour
    price:
      content: { price: 0.25 USD/MB }
      delivery: { price: 5.00 USD/h, settlement: invoice }
    sessions:
      - name: main
        origin: finnkino 457286529 172.10.20.212
        source: clip.ts
        address: 239.1.2.3:5000
        programme:
          - { title: News, from: 2026-12-24T20:00:00Z, to: 2026-12-24T20:30:00Z }
`;

function faultsOf(text: string): string[] {
  try {
    parseConfig(text, 'tv.yaml');
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('parseConfig', () => {
  test('reads services, sessions and prices, and fills in what is left out', () => {
    const { plan } = parseConfig(HARBOUR, 'tv.yaml');
    expect(plan).toMatchObject({ listen: { address: '127.0.0.1', port: 8443 }, state: '.tollcast/headend' });
    expect(plan.services).toMatchObject([
      {
        number: 7,
        tariff: { kind: 'octets', price: 250_000n },
        currency: { code: 'USD' },
        quantum: 525_000n,
        classes: { card: true, soft: true },
        joinLength: 1800,
        components: [
          { part: 'content', payer: 'user', basis: 'octets', settlement: 'purse', price: 250_000n },
          { part: 'delivery', payer: 'user', basis: 'duration', settlement: 'invoice', price: 5_000_000n },
        ],
        isInvoiced: true,
        sessions: [
          {
            origin: { user: 'finnkino', id: '457286529', address: '172.10.20.212' },
            to: { address: '239.1.2.3', port: 5000, keyPort: 5002, ttl: 1 },
            grace: 5,
            programme: [{ title: 'News', from: 1_798_142_400, to: 1_798_144_200 }],
          },
        ],
      },
    ]);
  });

  test('says where packets come from: from its interface, unless sources are named or the address is no multicast', () => {
    const sourcesOf = (more: string, address = '239.1.2.3:5000') => {
      const text = HARBOUR.replace('address: 239.1.2.3:5000', `address: ${address}\n        ${more}`);
      return parseConfig(text, 'tv.yaml').plan.services[0]!.sessions[0]!.sources;
    };
    expect(sourcesOf('interface: 192.0.2.7')).toEqual(['192.0.2.7']);
    expect(sourcesOf('sources: [192.0.2.8, 192.0.2.9]')).toEqual(['192.0.2.8', '192.0.2.9']);
    expect(sourcesOf('sources: []')).toEqual([]);
    expect(sourcesOf('interface: 192.0.2.7', '198.51.100.4:5000')).toEqual([]);
    const wrong = HARBOUR.replace('source: clip.ts', 'source: clip.ts\n        sources: [192.0.2.8, nowhere]');
    expect(faultsOf(wrong)).toEqual([
      expect.stringMatching(/sessions\[0\]\.sources\[1\]: write the IPv4 address of a head-end/),
    ]);
  });

  test('reads JSON, which is YAML too', () => {
    const { definition } = parseConfig(HARBOUR, 'tv.yaml');
    expect(parseConfig(JSON.stringify(definition), 'tv.json').plan.services[0]?.name).toBe('Harbour');
  });

  test('names line, column and field of each fault, and what to write', () => {
    expect(faultsOf(HARBOUR.replace('number: 7', 'number: 0').replace('name: Harbour', 'nam: Harbour'))).toEqual([
      'tv.yaml:3:5: services[0]: the field name is missing; add it',
      'tv.yaml:4:10: services[0].nam: there is no such field; correct its name, or take it out',
      'tv.yaml:3:13: services[0].number: it must be >= 1; correct it',
    ]);
    expect(faultsOf(HARBOUR.replace('0.25 USD/MB', '5 dollars'))).toEqual([
      expect.stringMatching(/^tv\.yaml:6:25: services\[0\]\.price\.content\.price: "5 dollars" is not a price; write /),
    ]);
    expect(faultsOf('services: [}')).toEqual([expect.stringMatching(/^tv\.yaml:1:12: .*; correct it$/)]);
  });

  test.each([
    ['two bases for one purse', ', settlement: invoice', '', /delivery: a purse takes one kind of price/],
    ['two currencies', '5.00 USD/h', '5.00 EUR/h', /delivery\.price: content is priced in USD/],
    ['a provider with a purse', 'settlement: invoice', 'payer: provider', /settlement: a provider has no purse/],
    ['an odd port', ':5000', ':5001', /sessions\[0\]\.address: .*even port/],
    [
      'an origin with a version',
      '457286529 172',
      '457286529 1453 172',
      /origin: .* is not a session; write user name, session id/,
    ],
    ['a programme that ends before it starts', '20:30', '19:30', /programme\[0\]\.to: it is not after the start/],
    [
      'keys that leavers get too, with an invoice',
      'address: 239',
      'keys: { strategy: shared }\n        address: 239',
      /strategy: what is settled by invoice needs keys that leavers do not get/,
    ],
    [
      'an unknown strategy',
      'address: 239',
      'keys: { strategy: tree }\n        address: 239',
      /strategy: write one of auto, list, shared, single, pair/,
    ],
    [
      'pairs of the service, whose private halves leavers keep to the end of the segment, with an invoice',
      'address: 239',
      'keys: { strategy: pair }\n        address: 239',
      /strategy: what is settled by invoice needs keys that leavers do not get; write list or auto/,
    ],
    [
      'a segment that is bought by itself, with an invoice',
      'address: 239',
      'keys: { strategy: single }\n        address: 239',
      /strategy: what is settled by invoice needs keys that leavers do not get; write list or auto/,
    ],
  ])('refuses %s', (_what, before, after, message) => {
    expect(faultsOf(HARBOUR.replace(before, after))).toEqual([expect.stringMatching(message)]);
  });

  test('segments that are bought one by one come in answers, without grace', () => {
    const byPurse = HARBOUR.replace('5.00 USD/h, settlement: invoice', 'free');
    const withKeys = (keys: string) => byPurse.replace('address: 239', `keys: { ${keys} }\n        address: 239`);
    expect(parseConfig(withKeys('strategy: single'), 'tv.yaml').plan.services[0]?.sessions).toMatchObject([
      { strategy: 'single', delivery: 'unicast', grace: 0 },
    ]);
    expect(faultsOf(withKeys('strategy: single, delivery: multicast, grace: 5'))).toEqual([
      expect.stringMatching(/keys\.delivery: .* is for one card, in an answer; write unicast, or strategy: list/),
      expect.stringMatching(/keys\.grace: .* opens nothing of the next; write 0, or leave it out/),
    ]);
  });

  test('what is billed from the log alone is bought one by one, by invoice, and nobody is on a list', () => {
    const byLog = HARBOUR.replace('name: Harbour', 'name: Harbour\n    billing: log\n    join: { keepAlive: 60 }');
    expect(faultsOf(byLog)).toEqual([
      expect.stringMatching(/sessions\[0\]\.keys\.strategy: .* each segment is bought by itself; write single/),
      expect.stringMatching(/price\.content\.settlement: what a card takes is not billed from the log; write invoice/),
      expect.stringMatching(/join\.keepAlive: there is no list of members/),
    ]);
    const right = byLog
      .replace('\n    join: { keepAlive: 60 }', '')
      .replace('0.25 USD/MB', '0.25 USD/MB, settlement: invoice')
      .replace('address: 239', 'keys: { strategy: single }\n        address: 239');
    expect(parseConfig(right, 'tv.yaml').plan.services).toMatchObject([{ isBilledByLog: true, isInvoiced: true }]);
  });

  test('adds up two components that a purse takes by one basis', () => {
    const both = HARBOUR.replace('5.00 USD/h, settlement: invoice', '0.05 USD/MB');
    expect(parseConfig(both, 'tv.yaml').plan.services[0]?.tariff).toEqual({ kind: 'octets', price: 300_000n });
  });

  test('what is settled by invoice is free on the card', () => {
    const invoiced = HARBOUR.replace('0.25 USD/MB', '0.25 USD/MB, settlement: invoice');
    expect(parseConfig(invoiced, 'tv.yaml').plan.services[0]?.tariff).toEqual({ kind: 'free', price: 0n });
  });

  test('a service number, an origin and an address are each there once', () => {
    const [, service = ''] = HARBOUR.split('services:\n');
    expect(faultsOf(HARBOUR + service)).toEqual([
      expect.stringMatching(/^tv\.yaml:15:13: services\[1\]\.number: another service has this number/),
      expect.stringMatching(/services\[1\]\.sessions\[0\]\.origin: another session has this origin/),
      expect.stringMatching(/services\[1\]\.sessions\[0\]\.address: another session is sent there/),
    ]);
  });
});
