import { type Static, Type } from 'typebox';
import { MAX_PACKETS } from '../../../apdu/decode-module/packets/card-part.ts';
import { MIN_PERIOD } from '../keys/schedules/key-schedule.ts';
import { MAX_RATE, MIN_RATE } from '../sources/rate-packer.ts';
import { SOURCE_FORMATS } from '../sources/source-format.ts';

const DAY = 86_400;
const YEAR = 366 * DAY;
const CLOSED = { additionalProperties: false };

function textOf(description: string, maxLength = 200) {
  return Type.String({ description, minLength: 1, maxLength });
}

function whole(minimum: number, maximum: number, description: string) {
  return Type.Integer({ minimum, maximum, description });
}

function oneOf<const T extends string[]>(values: readonly [...T], description: string) {
  return Type.Enum<T>([...values], { description });
}

/** A name that goes into addresses and commands. */
const NAME = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,39}$', description: 'lower-case letters, digits and -' });

export const COMPONENT = Type.Object(
  {
    price: textOf('"0.25 USD/MB", "5.00 USD/h", "1.50 USD/programme", "9.90 USD/period" or "free"', 40),
    period: Type.Optional(whole(1, YEAR, 'seconds of a period; with such a price alone')),
    payer: Type.Optional(oneOf(['user', 'provider'], 'who pays it; the user when left out')),
    settlement: Type.Optional(oneOf(['purse', 'invoice'], 'who takes the money; the purse when left out')),
    scheme: Type.Optional(textOf('name of the scheme that says what of a charge by invoice is billed', 40)),
  },
  CLOSED,
);

const PROFILE = Type.Object(
  {
    mode: Type.Optional(oneOf(['sealed', 'open', 'strict'], 'what is outside the span is sealed or left open')),
    every: Type.Optional(whole(1, MAX_PACKETS, 'every nth packet is a card packet')),
    span: Type.Optional(whole(16, 208, 'octets through the card, in steps of 16')),
    closingTime: Type.Optional(whole(200, 1000, 'ms that a group lasts at most')),
  },
  CLOSED,
);

const KEYS = Type.Object(
  {
    strategy: Type.Optional(oneOf(['auto', 'list', 'shared', 'single', 'pair'], 'how members get the segment keys')),
    delivery: Type.Optional(
      oneOf(['multicast', 'unicast'], 'whether segment keys are on the key port, or in answers alone'),
    ),
    parent: Type.Optional(
      oneOf(['unique-key', 'private-half'], 'what the purchases of a card come under, where it has a pair'),
    ),
    period: Type.Optional(whole(MIN_PERIOD, DAY, 'seconds of a content key at most')),
    segment: Type.Optional(whole(MIN_PERIOD, YEAR, 'seconds of a segment where the programme names none')),
    grace: Type.Optional(whole(0, 60, 'seconds for which a key opens what comes after its time')),
  },
  CLOSED,
);

const PROGRAMME = Type.Object(
  {
    title: textOf('what is on'),
    from: textOf('its start, as in 2026-12-24T20:00:00Z', 40),
    to: textOf('its end', 40),
  },
  CLOSED,
);

export const SESSION = Type.Object(
  {
    name: NAME,
    origin: Type.Optional(textOf('identity: user name, session id and address, as in "tollcast 457286529 192.0.2.1"')),
    source: textOf('a file, udp:// or rtp://ADDRESS:PORT', 4096),
    format: Type.Optional(oneOf(['auto', ...SOURCE_FORMATS], 'format of the source')),
    rate: Type.Optional(whole(MIN_RATE, MAX_RATE, 'bit/s, in place of the own pace of the source')),
    repeat: Type.Optional(Type.Boolean({ description: 'a file begins anew at its end' })),
    address: textOf('where to send, as in 239.1.2.3:5000', 40),
    keyPort: Type.Optional(whole(1, 65_535, 'port of the key messages; the media port + 2 when left out')),
    interface: Type.Optional(textOf('IPv4 address of the interface to send by; 127.0.0.1 when left out', 40)),
    sources: Type.Optional(
      Type.Array(
        textOf('IPv4 address that packets come from; that of the interface when left out, and any when empty', 40),
        {
          maxItems: 8,
          uniqueItems: true,
        },
      ),
    ),
    ttl: Type.Optional(whole(0, 255, 'networks that a packet may cross; 1 when left out')),
    profile: Type.Optional(PROFILE),
    keys: Type.Optional(KEYS),
    programme: Type.Optional(Type.Array(PROGRAMME, { maxItems: 1000 })),
  },
  CLOSED,
);

export const SERVICE = Type.Object(
  {
    number: whole(1, 0xffff_ffff, 'the number that the issuer gave out'),
    name: textOf('what viewers know it by', 80),
    rating: Type.Optional(whole(0, 255, 'the least age that it is for; 0 for all')),
    accept: Type.Optional(
      Type.Array(oneOf(['card', 'soft'], 'a class of modules'), { minItems: 1, maxItems: 2, uniqueItems: true }),
    ),
    suites: Type.Optional(Type.Array(whole(1, 1, 'number of a cipher suite'), { minItems: 1, maxItems: 1 })),
    price: Type.Object({ content: COMPONENT, delivery: Type.Optional(COMPONENT) }, CLOSED),
    billing: Type.Optional(
      oneOf(['entries', 'log'], 'what an invoice is made from: charging entries, or the log of key requests alone'),
    ),
    quantum: Type.Optional(textOf('what a card takes from its balance at a time', 40)),
    join: Type.Optional(
      Type.Object(
        {
          length: Type.Optional(whole(MIN_PERIOD, YEAR, 'seconds that a join lasts; 1800 when left out')),
          interval: Type.Optional(whole(1, DAY, 'seconds between the requests of a client; 60 when left out')),
          confirm: Type.Optional(whole(1, DAY, 'seconds within which a card confirms its key; 60 when left out')),
          keepAlive: Type.Optional(
            whole(10, DAY, 'seconds after which a silent member is dropped; never when left out'),
          ),
        },
        CLOSED,
      ),
    ),
    sessions: Type.Array(SESSION, { minItems: 1, maxItems: 64 }),
  },
  CLOSED,
);

export const HEADEND = Type.Object(
  {
    listen: Type.Optional(textOf('address and port of the API; 127.0.0.1:8443 when left out', 60)),
    url: Type.Optional(textOf('how receivers reach the API; https:// and what listens when left out')),
    state: Type.Optional(textOf('directory of database, TLS key and tokens; .tollcast/headend when left out', 4096)),
    issuer: Type.Optional(textOf('the issuer store with the masters; .tollcast/issuer when left out', 4096)),
    issuerNumber: Type.Optional(
      textOf('number of the issuer, six hexadecimal digits, where its store holds nothing but masters', 6),
    ),
    charging: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(
            oneOf(['forward', 'transfer', 'direct'], 'entries are billed when they close, again and again, or at once'),
          ),
          period: Type.Optional(whole(10, DAY, 'seconds between two transfers; 300 when left out')),
        },
        CLOSED,
      ),
    ),
    loads: Type.Optional(
      Type.Boolean({ description: 'cards are loaded over the API: needs the accounts and the load master' }),
    ),
    tls: Type.Optional(
      Type.Object({ key: textOf('PEM file', 4096), certificate: textOf('PEM file with the chain', 4096) }, CLOSED),
    ),
    signing: Type.Optional(
      Type.Object(
        {
          id: Type.Optional(whole(1, 0xffff_ffff, 'number of the verification key on the cards; 1 when left out')),
          key: Type.Optional(textOf('PEM file with the Ed25519 private key; made when left out', 4096)),
        },
        CLOSED,
      ),
    ),
    pairKey: Type.Optional(textOf('PEM file with the private key of P-256 for pairs; made when left out', 4096)),
    announce: Type.Optional(
      Type.Object(
        {
          address: Type.Optional(
            textOf('multicast address of SAP; its port is 9875; 239.255.255.255 when left out', 40),
          ),
          interface: Type.Optional(textOf('IPv4 address of the interface to announce by', 40)),
          interval: Type.Optional(whole(1, 3600, 'seconds between announcements; 5 when left out')),
        },
        CLOSED,
      ),
    ),
    journal: Type.Optional(
      Type.Object(
        { keep: whole(31, 36_600, 'days for which what was sent is kept before the end of a closed month') },
        CLOSED,
      ),
    ),
    schemes: Type.Optional(
      Type.Record(
        NAME,
        Type.Object(
          {
            file: textOf('a module of JavaScript or TypeScript, from the working directory on', 4096),
            function: Type.String({ pattern: '^[A-Za-z_$][\\w$]{0,63}$', description: 'the function that it exports' }),
          },
          CLOSED,
        ),
        { ...CLOSED, maxProperties: 100, description: "charging schemes of one's own, by their names" },
      ),
    ),
    invoices: Type.Optional(
      Type.Object(
        {
          from: Type.Optional(textOf('who sends them: name and address, in lines', 1000)),
          tax: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  name: Type.String({ pattern: '^[\\w .-]{1,40}$', description: 'as invoices name it' }),
                  rate: whole(1, 10_000, 'basis points of the price without it: 1900 is 19 %; prices contain it'),
                  services: Type.Optional(
                    Type.Array(whole(1, 0xffff_ffff, 'number of a service that it is on; all when left out')),
                  ),
                },
                CLOSED,
              ),
              { maxItems: 100 },
            ),
          ),
        },
        CLOSED,
      ),
    ),
    log: Type.Optional(oneOf(['debug', 'info', 'warn', 'error'], 'the least that is logged')),
    services: Type.Array(SERVICE, { maxItems: 1000 }),
  },
  CLOSED,
);

export type ComponentDefinition = Static<typeof COMPONENT>;
export type SessionDefinition = Static<typeof SESSION>;
export type ServiceDefinition = Static<typeof SERVICE>;
export type HeadendDefinition = Static<typeof HEADEND>;
