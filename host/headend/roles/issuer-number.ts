import { TollcastError } from '../../../apdu/errors.ts';
import { openIssuerStore } from '../../store/issuer-store.ts';
import { StoreError } from '../../store/store-error.ts';

/**
 * Finds out whose cards a head-end serves.
 * @param directory of the issuer store.
 * @param configured what the configuration says; it is asked first.
 * @returns u24.
 * @throws TollcastError `CONFIG` when the store holds nothing but masters, and the configuration does not say.
 */
export async function findIssuerNumber(directory: string, configured: number | undefined): Promise<number> {
  if (configured !== undefined) return configured;
  const id = await readIssuer(directory);
  if (id !== undefined) return id;
  throw new TollcastError(
    'CONFIG',
    `${directory} does not say whose cards it makes; write issuerNumber: "0a1b2c" into the configuration`,
  );
}

async function readIssuer(directory: string): Promise<number | undefined> {
  try {
    await using store = await openIssuerStore(directory);
    return (await store.selectFrom('issuer').select('id').executeTakeFirst())?.id;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NO_STORE') return undefined;
    throw error;
  }
}
