import { createPublicKey, verify } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'sdp-transform';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OFFER_ATTRIBUTE, parseOfferHint } from '../../../host/contract/announcement/offer-hint.ts';
import { parseSapPacket } from '../../../host/contract/announcement/sap-packet.ts';
import { verifyOffer } from '../../../host/contract/offer/signed-offer.ts';
import { requestPinned } from '../../../host/transport/network/pinned-https.ts';
import { type HeadendFixture, readJson, startHeadend } from '../../support/headend/headend-fixture.ts';
import { findFreePort } from '../../support/streams/test-service.ts';

let fixture: HeadendFixture;
let announcements: Socket;
const heard: Buffer[] = [];
let service: { number: number; sessions: Record<string, unknown>[] } & Record<string, unknown>;

beforeAll(async () => {
  const source = join(import.meta.dirname, 'headend-api.test.ts');
  service = {
    number: 7,
    name: 'Harbour',
    price: { content: { price: '0.25 USD/MB' }, delivery: { price: '5.00 USD/h', settlement: 'invoice' } },
    sessions: [
      {
        name: 'main',
        origin: 'finnkino 457286529 172.10.20.212',
        source,
        format: 'data',
        rate: 16_000,
        repeat: true,
        address: `239.255.7.1:${await findFreePort()}`,
      },
    ],
  };
  announcements = createSocket({ type: 'udp4', reuseAddr: true });
  announcements.on('message', (octets: Buffer) => heard.push(octets));
  const address = `239.255.${process.pid & 0xff}.251`;
  announcements.bind(9875, address);
  await once(announcements, 'listening');
  announcements.addMembership(address, '127.0.0.1');
  fixture = await startHeadend([service], { announce: { address, interval: 1 } });
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  announcements.close();
});

describe('what receivers are told', () => {
  test('offers are signed by a key that cards can be told to trust, and say what a join costs', async () => {
    const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string; href: string }[] };
    expect(offers).toMatchObject([{ name: 'Harbour', service: 7, session: 'finnkino 457286529 172.10.20.212' }]);
    const { type, body } = await fixture.ask('GET', offers[0]!.href);
    expect(type).toBe('application/vnd.tollcast.offer');
    const pem = await readFile(join(fixture.directory, 'state/offer-key.pub.pem'), 'utf8');
    const key = new Uint8Array(Buffer.from(createPublicKey(pem).export({ format: 'jwk' }).x!, 'base64url'));
    const offer = verifyOffer(body, [{ id: 1, key }]);
    expect(offer).toMatchObject({
      components: [
        { part: 'content', basis: 'octets', price: 250_000n, settlement: 'purse' },
        { part: 'delivery', basis: 'duration', price: 5_000_000n, settlement: 'invoice' },
      ],
      ceilings: { perMegabyte: 250_000n, perHour: 0n },
      address: { sources: ['127.0.0.1'] },
    });
    expect(Buffer.from(offer.sessionHash).toString('hex')).toBe(offers[0]!.id);
    // Another library says the same: 4 octets of key id, 64 of signature, then what is signed, behind its label.
    const signed = Buffer.concat([Buffer.from('tollcast offer 1\0'), body.subarray(68)]);
    expect(verify(null, signed, createPublicKey(pem), body.subarray(4, 68))).toBe(true);
  });

  test('the offer names the TLS key, and a server with another one is sent nothing', async () => {
    const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { href: string }[] };
    const text = Buffer.from((await fixture.ask('GET', offers[0]!.href)).body.subarray(68)).toString();
    const { headEnds } = JSON.parse(text) as { headEnds: { url: string; tlsKey: string }[] };
    const [{ url, tlsKey }] = headEnds as [{ url: string; tlsKey: string }];
    const health = { url: new URL('/healthz', url), maxAnswer: 100 };
    expect(readJson(await requestPinned({ ...health, tlsKey }))).toEqual({ status: 'ok' });
    await expect(requestPinned({ ...health, tlsKey: '00'.repeat(32) })).rejects.toMatchObject({ code: 'HTTPS' });
  });

  test('each session is announced by SAP, with the place of its offer', async () => {
    while (heard.length === 0) await once(announcements, 'message');
    const { isDeletion, source, sdp } = parseSapPacket(heard[0]!);
    expect([isDeletion, [...source]]).toEqual([false, [127, 0, 0, 1]]);
    const described = parse(sdp);
    expect(described).toMatchObject({
      name: 'Harbour',
      origin: { username: 'finnkino', sessionId: 457_286_529, address: '172.10.20.212' },
      connection: { ip: expect.stringMatching(/^239\.255\.7\.1\/1$/) as string },
      // RFC 4570, as the offer says: that of its interface.
      sourceFilter: { filterMode: 'incl', netType: 'IN', destAddress: '239.255.7.1', srcList: '127.0.0.1' },
      media: [{ type: 'application', protocol: 'RTP/AVP', payloads: 96 }],
    });
    const { offers } = readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string }[] };
    const attribute = described.invalid?.map(({ value }) => value).find((value) => value.startsWith(OFFER_ATTRIBUTE));
    const { id, url, tlsKey } = parseOfferHint(attribute!.slice(OFFER_ATTRIBUTE.length + 1));
    expect([id, url]).toEqual([offers[0]!.id, `https://127.0.0.1:${fixture.port}`]);
    expect((await requestPinned({ url: new URL(`/v1/offers/${id}`, url), tlsKey, maxAnswer: 10_000 })).status).toBe(
      200,
    );
  });

  test('its private files are for its owner alone', async () => {
    for (const name of ['tls-key.pem', 'offer-key.pem', 'operator.token', 'headend.sqlite']) {
      expect((await stat(join(fixture.directory, 'state', name))).mode & 0o077).toBe(0);
    }
  });

  test('the documentation that is checked in is what the head-end serves', async () => {
    const path = join(import.meta.dirname, '../../../host/headend/api/openapi.json');
    const served = readJson(await fixture.ask('GET', '/openapi.json'));
    if (process.env['WRITE_OPENAPI'] === '1') await writeFile(path, JSON.stringify(served, undefined, 2));
    expect(served).toEqual(JSON.parse(await readFile(path, 'utf8')));
  });

  test('what is not there, too large or not JSON is refused as problem details', async () => {
    for (const [answer, status] of [
      [await fixture.ask('GET', '/v2'), 404],
      [await fixture.ask('GET', `/v1/offers/${'0'.repeat(40)}`), 404],
      [await fixture.ask('GET', '/v1/offers/x'), 400],
    ] as const) {
      expect([answer.status, answer.type]).toEqual([status, 'application/problem+json']);
      expect(readJson(answer)).toMatchObject({ status, detail: expect.stringMatching(/; .*\.$/) as string });
    }
  });
});

describe('what operators see and change', () => {
  test('nobody else does, and no token is logged', async () => {
    for (const path of ['/metrics', '/v1/operator/services', '/v1/operator/changes']) {
      const headers = { authorization: 'Bearer c2VjcmV0LXNlY3JldC1zZWNyZXQ' };
      for (const answer of [await fixture.ask('GET', path), await fixture.ask('GET', path, { headers })]) {
        expect([answer.status, answer.type]).toEqual([401, 'application/problem+json']);
      }
    }
    await fixture.askOperator('GET', '/v1/operator/services');
    const token = (await readFile(join(fixture.directory, 'state/operator.token'), 'utf8')).trim();
    const lines = JSON.stringify(fixture.log);
    expect(lines).toContain('/v1/operator/services');
    expect(lines).not.toContain(token);
    expect(lines).not.toContain('c2VjcmV0');
  });

  test('each call of operators wants a token, and all below /v1/operator are such', async () => {
    const { paths } = readJson(await fixture.ask('GET', '/openapi.json')) as {
      paths: Record<string, Record<string, { security?: unknown[] }>>;
    };
    const calls = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security = [] }]) => ({ path, method, wantsToken: security.length > 0 })),
    );
    expect(calls.length).toBeGreaterThan(30);
    for (const { path, method, wantsToken } of calls) {
      expect([path, wantsToken]).toEqual([path, path.startsWith('/v1/operator/') || path === '/metrics']);
      if (!wantsToken) continue;
      const headers = { authorization: `Bearer ${'A'.repeat(43)}` };
      const verb = (['GET', 'POST', 'PUT', 'DELETE'] as const).find((one) => one.toLowerCase() === method)!;
      for (const options of [{}, { headers }]) {
        const { status } = await fixture.ask(verb, path.replaceAll(/\{\w+\}/g, '1'), options);
        expect([verb, path, status]).toEqual([verb, path, 401]);
      }
    }
  });

  test('a definition that cannot be used is refused with each field that is wrong', async () => {
    const wrong = { ...service, price: { content: { price: '5 dollars' } } };
    const answer = await fixture.askOperator('PUT', '/v1/operator/services/7', wrong);
    expect(answer.status).toBe(422);
    expect(readJson(answer)).toMatchObject({ errors: [{ field: 'price.content.price' }] });
    const unknown = await fixture.askOperator('PUT', '/v1/operator/services/7', { ...service, color: 'red' });
    expect(unknown.status).toBe(400);
  });

  test('a price that changes closes the offer with the old one, and is in the log of changes', async () => {
    const list = async () =>
      readJson(await fixture.ask('GET', '/v1/offers')) as { offers: { id: string; href: string }[] };
    const [before] = (await list()).offers;
    const dearer = { ...service, price: { content: { price: '0.30 USD/MB' } } };
    expect((await fixture.askOperator('PUT', '/v1/operator/services/7', dearer)).status).toBe(200);
    expect((await list()).offers.map(({ id }) => id)).not.toContain(before!.id);
    expect((await fixture.ask('GET', before!.href)).status).toBe(404);
    const { changes } = readJson(await fixture.askOperator('GET', '/v1/operator/changes')) as { changes: object[] };
    expect(changes).toMatchObject([
      { operator: 'operator', action: 'put', subject: 'service 7', detail: JSON.stringify(dearer) },
      { operator: 'owner', action: 'add', subject: 'operator operator' },
      { operator: 'configuration', action: 'put', subject: 'service 7' },
    ]);
    // It stays so over a restart, as the configuration says what it said before.
    await fixture.restart();
    expect(readJson(await fixture.askOperator('GET', '/v1/operator/services'))).toMatchObject({
      services: [{ definition: dearer }],
    });
  });

  test('sessions come and go while others are sent', async () => {
    const second = { ...service.sessions[0]!, name: 'second', address: `239.255.7.2:${await findFreePort()}` };
    Reflect.deleteProperty(second, 'origin');
    const path = '/v1/operator/services/7/sessions/second';
    const added = readJson(await fixture.askOperator('PUT', path, second)) as { sessions: { origin: string }[] };
    expect(added.sessions).toHaveLength(2);
    expect(added.sessions[1]!.origin).toMatch(/^tollcast \d+ 127\.0\.0\.1$/);
    expect(readJson(await fixture.ask('GET', '/v1/offers'))['offers']).toHaveLength(2);
    expect((await fixture.askOperator('DELETE', path)).status).toBe(200);
    expect((await fixture.askOperator('DELETE', path)).status).toBe(404);
    expect(readJson(await fixture.ask('GET', '/v1/offers'))['offers']).toHaveLength(1);
  });

  test('a service that is removed is offered no longer, and comes back when the configuration changes', async () => {
    expect((await fixture.askOperator('DELETE', '/v1/operator/services/7')).status).toBe(204);
    while (!parseSapPacket(heard.at(-1)!).isDeletion) await once(announcements, 'message');
    expect(readJson(await fixture.ask('GET', '/v1/offers'))['offers']).toEqual([]);
    await fixture.restart();
    expect(readJson(await fixture.ask('GET', '/v1/offers'))['offers']).toEqual([]);
    await fixture.restart([{ ...service, name: 'Harbour again' }]);
    expect(readJson(await fixture.ask('GET', '/v1/offers'))['offers']).toMatchObject([{ name: 'Harbour again' }]);
  });

  test('Prometheus reads what was sent', async () => {
    const { body, type } = await fixture.askOperator('GET', '/metrics');
    expect(type).toBe('text/plain');
    expect(Buffer.from(body).toString()).toMatch(/^tollcast_members\{service="7",session="main"\} 0$/m);
    expect(Buffer.from(body).toString()).toMatch(/^tollcast_sent_octets_total\{service="7",session="main"\} \d+$/m);
    expect(Buffer.from(body).toString()).toMatch(/^tollcast_packet_lateness_seconds\{.*quantile="0.99"\} [\d.]+$/m);
  });
});
