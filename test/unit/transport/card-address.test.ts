import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutOfRangeError } from '../../../apdu/errors.ts';
import { parseCardAddress } from '../../../host/transport/card/card-address.ts';

test.each([
  ['pcsc', { kind: 'pcsc' }],
  ['pcsc:ACS ACR122U PICC: 00', { kind: 'pcsc', reader: 'ACS ACR122U PICC: 00' }],
  ['Virtual PCD 00 00', { kind: 'pcsc', reader: 'Virtual PCD 00 00' }],
  ['tcp:127.0.0.1:35963', { kind: 'tcp', at: { host: '127.0.0.1', port: 35_963 } }],
  ['tcp:[::1]:1', { kind: 'tcp', at: { host: '::1', port: 1 } }],
  ['tcp:runner.example:65535', { kind: 'tcp', at: { host: 'runner.example', port: 65_535 } }],
  ['hid', { kind: 'hid' }],
  ['hid:A1:2', { kind: 'hid', serial: 'A1:2' }],
  ['usb', { kind: 'usb' }],
  ['usb:A1', { kind: 'usb', serial: 'A1' }],
  ['soft', { kind: 'soft' }],
  ['soft:/a/b:c.card', { kind: 'soft', file: '/a/b:c.card' }],
])('%s', (text, address) => {
  expect(parseCardAddress(text)).toEqual(address);
});

test.each([
  '',
  ' ',
  'pcsc:',
  'soft:',
  'hid:',
  'usb:',
  'tcp:',
  'tcp:host',
  'tcp:host:',
  'tcp:host:0',
  'tcp:host:65536',
  'tcp::1',
  'tcp:a:b:1',
])('"%s" is refused', (text) => {
  expect(() => parseCardAddress(text)).toThrow(OutOfRangeError);
});

test('any text is an address or is refused', () => {
  const text = fc.oneof(
    fc.string(),
    fc.tuple(fc.constantFrom('tcp:', 'pcsc:', 'soft:', 'hid:', 'usb:'), fc.string()).map((two) => two.join('')),
  );
  fc.assert(
    fc.property(text, (any) => {
      try {
        expect(['pcsc', 'tcp', 'hid', 'usb', 'soft']).toContain(parseCardAddress(any).kind);
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfRangeError);
      }
    }),
  );
});
