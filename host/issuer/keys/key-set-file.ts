import { readFile } from 'node:fs/promises';
import { fromHex } from '../../../apdu/octets.ts';
import { type ChannelKeySet, requireKeySet } from '../../../apdu/secure-channel/scp03-keys.ts';
import { IssuerError } from '../issuer-error.ts';

/**
 * Reads the key set that a card was installed with: JSON with `version`, and `enc`, `mac`, `dek` in hexadecimal.
 * @throws IssuerError `KEY_SET_FILE`, which quotes nothing from the file.
 */
export async function readKeySet(path: string): Promise<ChannelKeySet> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    const field = (name: string): unknown =>
      typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    const key = (name: string): Uint8Array => fromHex(String(field(name)));
    const keys = { version: Number(field('version')), enc: key('enc'), mac: key('mac'), dek: key('dek') };
    requireKeySet(keys);
    return keys;
  } catch {
    // The cause could quote a key.
    throw new IssuerError(
      'KEY_SET_FILE',
      `${path} holds no key set; write {"version": 1, "enc": "...", "mac": "...", "dek": "..."}, ` +
        '32 hexadecimal digits each',
    );
  }
}
