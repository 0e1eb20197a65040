/** Exit statuses of the command line, by the kind of failure; 0 is success. */
export const EXIT_STATUS = {
  failure: 1,
  usage: 2,
  reader: 3,
  busy: 4,
  pin: 5,
  refused: 6,
  connection: 7,
  price: 8,
} as const;

type FailureKind = keyof typeof EXIT_STATUS;

/** What each exit status means, from 0 on, for help and README. */
export const EXIT_MEANINGS: readonly string[] = [
  'done',
  'failed, for a reason that has no status of its own',
  'what was typed cannot be used; nothing was done',
  'no reader, no card in it, or none that can be used',
  'another program uses the card, the reader, the port or the store',
  'the PIN is missing, wrong or blocked',
  'the card refused: its state, credit or limits do not allow it',
  'the connection to the card broke while it was in use',
  'the price was not accepted; nothing was paid at it',
];

interface ErrorEntry {
  readonly kind: FailureKind;
  /** One line for people. */
  readonly meaning: string;
}

/** Every code that a Tollcast error can have, whichever part throws it, in one place. */
const CATALOGUE = {
  // Any part
  FORMAT: { kind: 'failure', meaning: 'octets do not follow the protocol page or ISO/IEC 7816' },
  INPUT: { kind: 'usage', meaning: 'a text that was typed is not what it has to be' },
  OUT_OF_RANGE: { kind: 'usage', meaning: 'a value lies outside its range' },
  USAGE: { kind: 'usage', meaning: 'the command line has an unknown, missing or conflicting word' },
  SYSTEM: { kind: 'failure', meaning: 'the operating system refused a file or a socket' },
  UNEXPECTED: { kind: 'failure', meaning: 'a fault of Tollcast; --debug shows where' },
  STOPPED: { kind: 'failure', meaning: 'stopped by the user' },
  NOT_CONFIRMED: { kind: 'failure', meaning: 'a step that cannot be taken back was not confirmed' },

  // Connection to the card
  CARD_GONE: { kind: 'connection', meaning: 'the card left, was reset or was replaced while in use' },
  CARD_STALLED: { kind: 'connection', meaning: 'the card did not answer in time' },
  NO_CARD: { kind: 'reader', meaning: 'no card is in the reader' },
  NO_SOFT_CARD: { kind: 'reader', meaning: 'there is no soft card in this file' },
  SOFT_CARD_FILE: { kind: 'failure', meaning: 'the file of a soft card cannot be read or written' },
  CARD_IN_USE: { kind: 'busy', meaning: 'another program has the card' },
  TCP_UNREACHABLE: { kind: 'reader', meaning: 'no card answers at this TCP address' },
  TCP_NO_ATR: { kind: 'reader', meaning: 'what listens at this TCP address is not a card' },
  TCP_FRAME: { kind: 'failure', meaning: 'a command is too short or too long for TCP' },
  TOKEN_FRAME: { kind: 'failure', meaning: 'a command is too short or too long for a token' },
  NO_TOKEN: { kind: 'reader', meaning: 'no token is plugged in, or none with this serial number' },
  SEVERAL_TOKENS: { kind: 'usage', meaning: 'several tokens are plugged in, and none is named' },
  HID_NOT_INSTALLED: { kind: 'reader', meaning: 'the HID binding of Node is not installed' },
  HID_DENIED: { kind: 'reader', meaning: 'the system does not let this user open the token' },
  USB_NOT_INSTALLED: { kind: 'reader', meaning: 'the USB binding of Node is not installed' },
  USB_DENIED: { kind: 'reader', meaning: 'the system does not let this user open the token' },
  T0_SHORT_ONLY: { kind: 'failure', meaning: 'the command is too long for a card that speaks T=0' },
  NO_UHID: { kind: 'failure', meaning: 'the kernel has no uhid for this user, so no token can be emulated' },
  NO_GADGET: { kind: 'failure', meaning: 'the kernel has no USB gadgets for this user, so no token can be emulated' },
  NO_FREE_READER: { kind: 'busy', meaning: 'both virtual readers of this process are in use' },
  NO_PCSCD: { kind: 'failure', meaning: 'pcscd or its virtual reader is missing, so no reader can be simulated' },
  NO_JAVA: { kind: 'failure', meaning: 'Java is missing or too old, so the applet cannot be simulated' },
  NO_RUNNER: { kind: 'failure', meaning: 'the applet and its runner are not built' },
  NO_VITEST: { kind: 'failure', meaning: 'Vitest is missing, so its card fixture cannot be used' },
  RUNNER_FAILED: { kind: 'failure', meaning: 'the simulated card did not start' },
  REPLAY: { kind: 'failure', meaning: 'a command differs from the recorded trace' },

  // PC/SC
  PCSC_NOT_INSTALLED: { kind: 'reader', meaning: 'the PC/SC binding of Node is not installed' },
  PCSC_NO_SERVICE: { kind: 'reader', meaning: 'pcscd is not running' },
  PCSC_DENIED: { kind: 'reader', meaning: 'pcscd does not let this user in' },
  PCSC_NO_READER: { kind: 'reader', meaning: 'no card reader is connected' },
  PCSC_UNKNOWN_READER: { kind: 'reader', meaning: 'no reader has this name' },
  PCSC_AMBIGUOUS_READER: { kind: 'usage', meaning: 'several readers have this name' },
  PCSC_SEVERAL_CARDS: { kind: 'usage', meaning: 'several readers have a card, and none is named' },
  PCSC_READER_GONE: { kind: 'reader', meaning: 'the reader is not available' },
  PCSC_NOT_READY: { kind: 'reader', meaning: 'the reader is not ready' },
  PCSC_NO_CARD: { kind: 'reader', meaning: 'no card is in the reader' },
  PCSC_MUTE: { kind: 'reader', meaning: 'the card does not answer its reader' },
  PCSC_PROTOCOL: { kind: 'reader', meaning: 'the card offers neither T=0 nor T=1' },
  PCSC_UNPOWERED: { kind: 'reader', meaning: 'the reader has switched the card off' },
  PCSC_IN_USE: { kind: 'busy', meaning: 'another program uses the card' },
  PCSC_NO_MEMORY: { kind: 'busy', meaning: 'pcscd has no room for another connection' },
  PCSC_SERVICE_LOST: { kind: 'connection', meaning: 'the connection to pcscd broke' },
  PCSC_INVALID_HANDLE: { kind: 'connection', meaning: 'the connection to the card is no longer valid' },
  PCSC_LINK: { kind: 'connection', meaning: 'the link to the card broke' },
  PCSC_RESET: { kind: 'connection', meaning: 'another program reset the card' },
  PCSC_REMOVED: { kind: 'connection', meaning: 'the card was taken out' },
  PCSC_CANCELLED: { kind: 'failure', meaning: 'a request to pcscd was cancelled' },
  PCSC_FAILED: { kind: 'failure', meaning: 'PC/SC failed in a way of its own' },
  PCSC_WORKER: { kind: 'failure', meaning: 'PC/SC was used outside the main thread' },

  // Status words of the decode module: firmware-notes/protocol.md 2.2
  WRONG_PIN: { kind: 'pin', meaning: '63C0: the PIN is wrong; the last digit counts the tries left' },
  WRONG_CRYPTOGRAM: { kind: 'refused', meaning: '6300: the cryptogram of the secure channel is wrong' },
  WRONG_LENGTH: { kind: 'refused', meaning: '6700: the command has a length that it cannot have' },
  SECURITY: { kind: 'refused', meaning: '6982: the card wants its PIN or its secure channel first' },
  PIN_BLOCKED: { kind: 'pin', meaning: '6983: the PIN is blocked' },
  NOT_NOW: { kind: 'refused', meaning: '6985: not in this state of the card' },
  NOT_SELECTED: { kind: 'refused', meaning: '6986: the decode module is not selected' },
  CRYPTO: { kind: 'refused', meaning: '6988: the message is not authentic' },
  BAD_FIELD: { kind: 'refused', meaning: '6A80: a field has a value that it cannot have' },
  NOT_FOUND: { kind: 'refused', meaning: '6A82: no such application, receipt or record' },
  NO_ROOM: { kind: 'refused', meaning: '6A84: the card has no room for another key' },
  WRONG_PARAMETERS: { kind: 'refused', meaning: '6A86: P1 or P2 is wrong' },
  UNKNOWN_KEY: { kind: 'refused', meaning: '6A88: the key is not on the card' },
  UNKNOWN_INSTRUCTION: { kind: 'refused', meaning: '6D00: the card does not know the instruction' },
  UNKNOWN_CLASS: { kind: 'refused', meaning: '6E00: the card does not know the class' },
  NO_CREDIT: { kind: 'refused', meaning: '9401: not enough credit' },
  ABOVE_CEILING: { kind: 'refused', meaning: '9402: dearer than the purchase allows' },
  SPEND_LIMIT: { kind: 'refused', meaning: '9403: the spend limit of the day is reached' },
  RECEIPTS_DUE: { kind: 'refused', meaning: '9404: the issuer has to collect receipts first' },
  OUTSIDE_VALIDITY: { kind: 'refused', meaning: '9405: outside the validity of the key or the purchase' },
  OLD_GROUP: { kind: 'refused', meaning: '9406: older than a group already opened' },
  ABOVE_MAXIMUM_BALANCE: { kind: 'refused', meaning: '9407: the balance would pass its maximum' },
  BLIND_MISMATCH: { kind: 'refused', meaning: '9408: a blind key where a metered one is needed, or the reverse' },
  ABOVE_RATING: { kind: 'refused', meaning: '9409: rated above the limit of the card' },
  CLASS_REFUSED: { kind: 'refused', meaning: '940A: the content does not accept this class of module' },
  OLD_NUMBER: { kind: 'refused', meaning: '940B: the number of the message is used or too old' },
  FOREIGN_STREAM: { kind: 'refused', meaning: '940C: the stream is not one of the content key' },
  WRONG_PARENT: { kind: 'refused', meaning: '940D: this kind of key may not come under that parent' },
  SPAN_TOO_LONG: { kind: 'refused', meaning: 'the stream puts more of each group through the card than it takes' },
  DEFECT: { kind: 'refused', meaning: 'the card answered a status word that the protocol page does not have' },

  // Messages and the secure channel
  FORGED: { kind: 'failure', meaning: 'the tag of a message is wrong' },
  WRONG_KEYS: { kind: 'refused', meaning: 'the card holds other keys for its secure channel' },
  NO_KEY_SET: { kind: 'refused', meaning: 'the card holds no key set of this version' },
  NO_SCP03: { kind: 'failure', meaning: 'the card does not speak SCP03 as it is needed' },
  FORGED_ANSWER: { kind: 'failure', meaning: 'the MAC of an answer is wrong' },
  CHANNEL_ENDED: { kind: 'connection', meaning: 'the secure channel has ended' },

  // Holder
  NO_PIN: { kind: 'pin', meaning: 'the card has no PIN' },
  PIN_NEEDED: { kind: 'pin', meaning: 'the card opens nothing without its PIN' },
  NO_PIN_PAD: { kind: 'reader', meaning: 'the reader has no keypad of its own' },
  PIN_NOT_GIVEN: { kind: 'pin', meaning: 'no PIN was typed, or it was typed differently twice' },
  CARD_NOT_ACTIVE: { kind: 'refused', meaning: 'the card is blank, blocked or terminated' },

  // Watching
  CARD_VERSION: { kind: 'failure', meaning: 'the card speaks another version of the protocol' },
  OTHER_CARD: { kind: 'failure', meaning: 'another card was inserted in the middle of a run' },
  CARD_FAULT: { kind: 'failure', meaning: 'the card failed at one group after the other' },
  PRICE_NOT_ACCEPTED: { kind: 'price', meaning: 'nobody has accepted the price of the stream' },
  NOTHING_OPENED: { kind: 'failure', meaning: 'the stream ended and nothing of it was opened' },
  OUTPUT_EXISTS: { kind: 'usage', meaning: 'the file for the output holds something already' },
  OUTPUT: { kind: 'failure', meaning: 'the output cannot be written or offered' },
  FILE_INCOMPLETE: { kind: 'failure', meaning: 'a file that was sent did not come whole' },
  FILE_DAMAGED: { kind: 'failure', meaning: 'a file came whole and is not the one that was announced' },
  CONFIRMS: { kind: 'failure', meaning: 'the file for confirms cannot be written' },
  PORT_TAKEN: { kind: 'busy', meaning: 'another program uses the port' },
  ADDRESS_UNREACHABLE: { kind: 'failure', meaning: 'the address cannot be received from or joined' },

  // Offers and requests
  CHANNEL: { kind: 'failure', meaning: 'no channel of this name is offered, or the card may not watch it' },
  REQUEST_REFUSED: { kind: 'refused', meaning: 'the head-end refused a request' },
  ABOVE_OFFER: { kind: 'refused', meaning: 'the head-end sent a purchase that its offer does not cover' },
  OFFER_NOT_TRUSTED: { kind: 'refused', meaning: 'the offer is not signed by a key that the card trusts' },

  // Files of a card and its issuer that do not meet
  CARD_FILE: { kind: 'failure', meaning: 'a file of card and issuer is damaged, of another kind, or none' },
  FOREIGN_FILE: { kind: 'failure', meaning: 'a file of card and issuer is for another card' },
  STALE_FILE: { kind: 'failure', meaning: 'a file of card and issuer is older than what is known since' },
  NO_RECEIPTS: { kind: 'refused', meaning: 'the issuer has all receipts of the card' },

  // Head-end
  HEADEND: { kind: 'failure', meaning: 'the head-end of the demo ended by itself' },
  HTTPS: { kind: 'failure', meaning: 'a head-end does not answer, or is not the one that is known' },
  NOT_RECONCILED: { kind: 'failure', meaning: 'receipts, what was sent and the ledger differ' },
  NO_LEDGER_ENTRY: { kind: 'usage', meaning: 'the ledger has no such entry' },
  LEDGER_ENTRY_DIFFERS: { kind: 'usage', meaning: 'another event stands in the ledger under this name' },
  NO_DISPUTE: { kind: 'usage', meaning: 'there is no such dispute' },
  DISPUTED: { kind: 'usage', meaning: 'the entry is disputed already, or was given back' },
  DISPUTE_RULED: { kind: 'usage', meaning: 'the dispute was ruled otherwise' },
  CREDIT_DIFFERS: { kind: 'usage', meaning: 'another load or line of credit was granted under this name' },
  LOST_CARD: { kind: 'usage', meaning: 'the card was lost for good, and another one has its place' },
  NOT_ERASABLE: { kind: 'usage', meaning: 'a user cannot be erased as long as something is open' },
  PERIOD_RUNS: { kind: 'usage', meaning: 'a month that is not over cannot be closed' },
  PERIOD_OPEN: { kind: 'usage', meaning: 'a month that is not closed has no invoices' },
  NO_INVOICE: { kind: 'usage', meaning: 'there is no such invoice' },
  OPERATOR: { kind: 'failure', meaning: 'the head-end refused what an operator asked for' },
  TLS_FILES: { kind: 'usage', meaning: 'the key and certificate of the head-end cannot be used' },
  SIGNING_KEY: { kind: 'usage', meaning: 'the key that signs offers cannot be used' },
  CONFIG: { kind: 'usage', meaning: 'the configuration of the head-end cannot be used' },
  SCHEME_FAILED: { kind: 'failure', meaning: 'a charging scheme threw, or gave something else than an amount' },
  SOURCE: { kind: 'failure', meaning: 'the source cannot be read' },
  EMPTY_SOURCE: { kind: 'failure', meaning: 'the source was empty' },
  NO_PCR: { kind: 'failure', meaning: 'the transport stream has no clock' },
  UDP_SEND: { kind: 'failure', meaning: 'the network does not take what is sent' },
  GRANT: { kind: 'failure', meaning: 'a card cannot be granted this service' },
  GRANT_NUMBERS: { kind: 'failure', meaning: 'the numbers of the grants cannot be read or kept' },
  SERVICE_TAKEN: { kind: 'busy', meaning: 'another head-end sends this service' },
  GRANTS_ENDED: { kind: 'failure', meaning: 'the time that the cards were granted is over' },

  // Issuer
  NO_STORE: { kind: 'failure', meaning: 'there is no issuer store' },
  NO_MASTER: { kind: 'failure', meaning: 'the issuer store lacks a master' },
  STORE_EXISTS: { kind: 'failure', meaning: 'there is an issuer store already, and it is kept' },
  STORE_DAMAGED: { kind: 'failure', meaning: 'the issuer store is damaged' },
  STORE_NEWER: { kind: 'failure', meaning: 'a newer version of Tollcast has written the issuer store' },
  STORE_READ_ONLY: { kind: 'failure', meaning: 'the issuer store is of an earlier version and cannot be changed' },
  STORE_BUSY: { kind: 'busy', meaning: 'another program does not let go of the issuer store' },
  STORE_OPEN_TO_OTHERS: { kind: 'failure', meaning: 'other users may read the issuer store' },
  STORE_FAILED: { kind: 'failure', meaning: 'the issuer store cannot be read or written' },
  NO_PASSPHRASE: { kind: 'usage', meaning: 'no passphrase was given, or it cannot be used' },
  WRONG_PASSPHRASE: { kind: 'failure', meaning: 'the passphrase does not open the issuer store' },
  NOT_BLANK: { kind: 'refused', meaning: 'the card is personalised already' },
  BLANK: { kind: 'refused', meaning: 'the card is not personalised yet' },
  NOT_IN_USE: { kind: 'refused', meaning: 'the card is blocked or terminated' },
  WRONG_ISSUER: { kind: 'failure', meaning: 'the card is of another issuer' },
  NOT_IN_ACCOUNTS: { kind: 'failure', meaning: 'the card is not in the accounts' },
  WITHDRAWN: { kind: 'failure', meaning: 'the card once lied and is given nothing any more' },
  CHANNEL_KEYS: { kind: 'refused', meaning: 'the card accepts none of the keys at hand for its secure channel' },
  KEY_SET_FILE: { kind: 'usage', meaning: 'the file named holds no key set' },
  NO_PAIR: { kind: 'refused', meaning: 'the card can make no key pair' },
  PAIR_KEY: { kind: 'usage', meaning: 'the key for messages under public halves cannot be used' },
  POINT_FILE: { kind: 'usage', meaning: 'what was named is not a public key of P-256' },
  VERIFICATION_KEY: { kind: 'usage', meaning: 'what was named is not a verification key' },
  SERIAL_TAKEN: { kind: 'usage', meaning: 'a card with this serial number exists' },
  BATCH_INCOMPLETE: { kind: 'failure', meaning: 'some cards of a batch were not made' },
  WRONG_CURRENCY: { kind: 'usage', meaning: 'the card holds another currency' },
  NOTHING_TO_LOAD: { kind: 'usage', meaning: 'no amount was named and nothing is due' },
  OVER_MAXIMUM: { kind: 'refused', meaning: 'the card may not hold so much' },
  RECEIPTS_FIRST: { kind: 'refused', meaning: 'a soft module gets credit only against its receipts' },
  EARLIER_LOAD: { kind: 'failure', meaning: 'an order signed before was finished instead of the new one' },
  CARD_ROLLED_BACK: { kind: 'failure', meaning: 'the card has forgotten what it once proved' },
  ACCOUNTS_BEHIND: { kind: 'failure', meaning: 'the accounts have forgotten what the card proves' },
  ACCOUNTS_DISAGREE: { kind: 'failure', meaning: 'card and accounts disagree on an order' },
  RECEIPTS_DISAGREE: { kind: 'failure', meaning: 'a receipt contradicts the ones before it' },

  // Attack kit
  NOT_OURS: { kind: 'failure', meaning: 'the card belongs to somebody' },
  CONTROL: { kind: 'failure', meaning: 'an attack cannot be tried: the card refuses what is honest' },
  KIT_FILE: { kind: 'failure', meaning: 'the file of the attack kit cannot be read or written' },
  ATTACK_SUCCEEDED: { kind: 'failure', meaning: 'an attack broke the card' },

  // Demo
  NO_CLIP: { kind: 'failure', meaning: 'ffmpeg made no clip' },
} as const satisfies Record<string, ErrorEntry>;

/** What programs tell errors apart by: a name of the catalogue, or `SW_` and a status word in four digits. */
export type ErrorCode = keyof typeof CATALOGUE | `SW_${string}`;

/** The catalogue, for tables. */
export const ERROR_CODES: Readonly<Record<string, ErrorEntry>> = CATALOGUE;

/** Whether a text, as in a recorded trace, is a code. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(CATALOGUE, text) || /^SW_[0-9A-F]{4}$/.test(text);
}

/** Exit status of the command line that ends with this code, 1 to 8. */
export function exitStatusOf(code: ErrorCode): number {
  const entry = ERROR_CODES[code];
  if (entry !== undefined) return EXIT_STATUS[entry.kind];
  // ISO/IEC 7816-4: 63Cx and 6983 are about a PIN.
  return EXIT_STATUS[/^SW_(63C.|6983)$/.test(code) ? 'pin' : 'refused'];
}
