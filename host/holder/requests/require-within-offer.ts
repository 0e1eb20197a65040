import { type Ceilings, decodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { parseKeyMessage } from '../../../apdu/decode-module/keys/key-message.ts';
import { isPersonal, KIND } from '../../../apdu/decode-module/kinds.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { CEILINGS } from '../../../apdu/layout/keys.ts';
import type { Offer } from '../../contract/offer/offer.ts';

const BOUNDS = ['perMegabyte', 'perHour', 'flat', 'groupOctets', 'groupDuration', 'quantum'] as const;

/**
 * Refuses a purchase that would allow more than the offer says: the card would pay it without asking.
 * @param message a key message; what is no purchase passes, as the card holds it to its purchase.
 * @throws TollcastError `ABOVE_OFFER`.
 * @throws FormatError when it is not a key message.
 */
export function requireWithinOffer(message: Uint8Array, { service, ceilings, currency }: Offer): void {
  const key = parseKeyMessage(message);
  if (key.service !== service) throw above(`it is for service ${key.service}, not ${service}`);
  if (!isPersonal(key.parentKind) || key.kind === KIND.node) return;
  // Seeds have their labels before them.
  const allowed: Ceilings = decodeCeilings(key.body.subarray(key.body.length - CEILINGS.length));
  const wrong = BOUNDS.find((name) => allowed[name] > ceilings[name]);
  if (wrong !== undefined) throw above(`its ${wrong} is ${allowed[wrong]}, and the offer says ${ceilings[wrong]}`);
  if (allowed.currency !== undefined && allowed.currency !== currency?.number) {
    throw above(`it is in currency ${allowed.currency}, and the offer is not`);
  }
}

function above(why: string): TollcastError {
  return new TollcastError(
    'ABOVE_OFFER',
    `the head-end sent a purchase that its offer does not cover (${why}); it was not loaded. Ask the operator`,
  );
}
