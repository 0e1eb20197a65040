import { defineConfig, type OxlintOverride } from 'oxlint';

const BASE = import.meta.dirname;

/** What one layer of the house may import: its own folder, and the folders and packages named. */
interface Layer {
  /** A folder, or one file, from the root of the checkout. */
  readonly path: string;
  /** Folders from the root of the checkout. */
  readonly mayImport: readonly string[];
  /** Packages, and `node:*` for what Node brings; all of them where it is left out. */
  readonly packages?: readonly string[];
}

/**
 * Bottom up: each layer stands on those above it in this list. A path that stands later wins over the folder that it is
 * in.
 */
export const LAYERS: readonly Layer[] = [
  { path: 'apdu', mayImport: [], packages: ['@noble/**'] },
  { path: 'card-sim/soft', mayImport: ['apdu'], packages: ['@noble/**'] },
  { path: 'host/stream', mayImport: ['apdu'], packages: ['@noble/**'] },
  { path: 'host/money', mayImport: ['apdu'], packages: ['countries-list/**'] },
  { path: 'host/contract', mayImport: ['apdu', 'host/money'], packages: ['@noble/**'] },
  { path: 'host/clock', mayImport: [], packages: [] },
  { path: 'host/store', mayImport: ['apdu'], packages: ['kysely', 'kysely/*', 'node:*', 'node:*/*'] },
  { path: 'host/transport/koffi-library.ts', mayImport: [] },
  {
    path: 'host/transport/network',
    mayImport: ['apdu', 'host/clock', 'host/stream/packet', 'host/transport/koffi-library.ts'],
  },
  { path: 'host/transport/crypto', mayImport: ['apdu', 'host/stream/packet', 'host/transport/koffi-library.ts'] },
  // A soft card is a card without a reader: its channel runs it in this process.
  { path: 'host/transport/card', mayImport: ['apdu', 'card-sim/soft', 'host/clock', 'host/transport/crypto'] },
  { path: 'host/transport/index.ts', mayImport: ['apdu', 'host/transport'] },
  // It runs in a web page.
  { path: 'host/transport/page.ts', mayImport: ['apdu', 'host/transport/card/soft', 'host/transport/card/webusb'] },
  // Starting a card is also opening it.
  { path: 'card-sim/token', mayImport: ['apdu', 'card-sim/simulator', 'host/clock'] },
  { path: 'card-sim/simulator', mayImport: ['apdu', 'card-sim/soft', 'host/clock', 'host/transport'] },
  { path: 'card-sim/index.ts', mayImport: ['apdu', 'card-sim'] },
  { path: 'card-sim/page.ts', mayImport: ['apdu', 'card-sim/soft'] },
  { path: 'card-sim/vitest.ts', mayImport: ['apdu', 'card-sim'] },
  {
    path: 'host/holder',
    mayImport: ['apdu', 'host/clock', 'host/contract', 'host/money', 'host/transport'],
    packages: [],
  },
  // It measures a card under keys that its caller has for it.
  { path: 'host/card-bench', mayImport: ['apdu', 'host/clock'] },
  {
    path: 'host/bridge',
    mayImport: ['apdu', 'host/clock', 'host/contract', 'host/stream', 'host/money', 'host/transport', 'host/holder'],
    packages: [],
  },
  { path: 'host/player', mayImport: ['apdu', 'host/clock', 'host/stream', 'host/transport'] },
  // What it hands on it does not open.
  { path: 'host/relay', mayImport: ['apdu', 'host/contract', 'host/transport/network'] },
  {
    path: 'host/page',
    mayImport: [
      'apdu',
      'card-sim/soft',
      'host/bridge',
      'host/contract',
      'host/money',
      'host/player',
      'host/stream',
      'host/transport',
    ],
    packages: ['@noble/**', 'mpegts.js'],
  },
  { path: 'host/issuer', mayImport: ['apdu', 'host/contract', 'host/money', 'host/store', 'host/transport'] },
  { path: 'host/headend/index.ts', mayImport: ['apdu', 'host/headend', 'host/money'] },
  { path: 'host/headend/sources', mayImport: ['apdu', 'host/clock', 'host/stream', 'host/transport'] },
  {
    // It takes its keys from a port, and knows no price, no card and no key manager.
    path: 'host/headend/sender',
    mayImport: ['apdu', 'host/clock', 'host/headend/sources', 'host/stream', 'host/transport'],
  },
  {
    path: 'host/headend/config',
    mayImport: ['apdu', 'host/contract', 'host/headend', 'host/money', 'host/transport/network'],
  },
  {
    path: 'host/headend/announce',
    mayImport: ['apdu', 'host/clock', 'host/contract', 'host/headend', 'host/store', 'host/transport/network'],
  },
  { path: 'host/headend/api', mayImport: ['apdu', 'host/contract', 'host/headend', 'host/money'] },
  // A role puts together what the others are.
  {
    path: 'host/headend/roles',
    mayImport: ['apdu', 'host/clock', 'host/contract', 'host/headend', 'host/store', 'host/transport'],
  },
  // The key manager gives out keys to cards that the issuer made.
  {
    path: 'host/headend/keys',
    mayImport: [
      'apdu',
      'host/clock',
      'host/headend/membership',
      'host/headend/sender',
      'host/stream',
      'host/money',
      'host/store',
      'host/issuer',
    ],
  },
  // It knows accounts and amounts, and no card, session or request.
  { path: 'host/headend/ledger', mayImport: ['apdu', 'host/money', 'host/store'], packages: ['kysely'] },
  // Who asked for what, and what it owes: they know cards by their ids and keys by their octets.
  {
    path: 'host/headend/charging',
    mayImport: ['apdu', 'host/contract', 'host/headend/ledger', 'host/money', 'host/store'],
    packages: [],
  },
  { path: 'host/headend/membership', mayImport: ['apdu', 'host/contract', 'host/headend/charging'], packages: [] },
  {
    path: 'host/headend/requests',
    mayImport: [
      'apdu',
      'host/clock',
      'host/contract',
      'host/headend/charging',
      'host/headend/membership',
      'host/money',
      'host/store',
    ],
    packages: ['node:*', 'node:*/*'],
  },
  { path: 'host/headend/meter', mayImport: ['apdu', 'host/money', 'host/store'], packages: [] },
  // What operators ask of the ledger and enter in it.
  {
    path: 'host/headend/billing',
    mayImport: ['apdu', 'host/clock', 'host/headend/charging', 'host/headend/ledger', 'host/money', 'host/store'],
  },
  // What cards paid: verified as the issuer does, and kept with the ledger entry of each.
  {
    path: 'host/headend/receipts',
    mayImport: [
      'apdu',
      'host/clock',
      'host/contract',
      'host/headend/ledger',
      'host/headend/meter',
      'host/money',
      'host/store',
      'host/issuer',
    ],
  },
  // Loads of cards that are elsewhere: the issuer's own orders, for what was paid.
  {
    path: 'host/headend/loads',
    mayImport: [
      'apdu',
      'host/clock',
      'host/contract',
      'host/headend/ledger',
      'host/headend/receipts',
      'host/money',
      'host/store',
      'host/issuer',
    ],
  },
  // The kit makes cards as the issuer does; nothing but the command line knows it.
  { path: 'host/attack', mayImport: ['apdu', 'host/stream', 'host/money', 'host/transport', 'host/issuer'] },
  { path: 'host/cli', mayImport: ['apdu', 'host', 'card-sim'] },
];

/** Holds the direction of dependencies by resolved path. */
const PATHS: OxlintOverride = {
  files: ['{apdu,card-sim,host}/**/*.ts'],
  rules: {
    'paths/no-restricted-paths': [
      'error',
      {
        basePath: BASE,
        zones: LAYERS.map(({ path, mayImport }) => ({
          target: path,
          from: '.',
          except: [path, ...mayImport, 'node_modules'],
          message: `${path} may import ${[path, ...mayImport].join(', ')}, nothing else.`,
        })),
      },
    ],
  },
};

/** Holds the packages that a layer may import. */
function packagesOf({ path, packages = [] }: Layer): OxlintOverride {
  const group = ['*', '!./**', '!../**', ...packages.map((name) => `!${name}`)];
  const message = `${path} may import of packages ${packages.join(', ')}, nothing else.`;
  return {
    files: [`${path}/**`],
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group, message }] }] },
  };
}

/** Globals that only Node has, or that give the time of this machine. */
const GLOBALS = [
  'Buffer',
  'Date',
  'clearInterval',
  'clearTimeout',
  'console',
  'fetch',
  'performance',
  'process',
  'require',
  'setInterval',
  'setTimeout',
];

export default defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise'],
  jsPlugins: [{ name: 'paths', specifier: 'eslint-plugin-import-x' }],
  categories: { correctness: 'error', suspicious: 'error', perf: 'error' },
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  rules: {
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
    'import/no-unassigned-import': ['error', { allow: ['**/require-node.ts'] }],
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'unicorn/prefer-node-protocol': 'error',
    'typescript/consistent-type-exports': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-deprecated': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-import-type-side-effects': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    // An octet that is there because a length was checked is written octets[i]!, nothing else is.
    'typescript/non-nullable-type-assertion-style': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/restrict-plus-operands': 'error',
    'typescript/return-await': ['error', 'in-try-catch'],
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    // A card answers one command at a time: awaiting in a loop is how one talks to it.
    'no-await-in-loop': 'off',
    // For Express; Fastify takes async handlers.
    'oxc/no-async-endpoint-handlers': 'off',
    // TypeScript's own noImplicitReturns knows an exhaustive switch when it sees one.
    'typescript/consistent-return': 'off',
    'oxc/no-map-spread': 'off',
    'promise/always-return': 'off',
    // For windows; here postMessage goes to worker threads.
    'unicorn/require-post-message-target-origin': 'off',
    // `fc.assert` is how fast-check's own manual writes it.
    'import/no-named-as-default-member': 'off',
  },
  overrides: [
    PATHS,
    ...LAYERS.filter(({ packages }) => packages !== undefined).map(packagesOf),
    // The soft card's file.
    { files: ['card-sim/soft/memory/state-*.ts'], rules: { 'no-restricted-imports': 'off' } },
    {
      // Octets in, octets out, time as an argument.
      files: ['apdu/**', 'host/stream/**', 'host/money/**', 'host/contract/**', 'card-sim/soft/**'],
      rules: {
        'no-restricted-globals': [
          'error',
          {
            globals: [...GLOBALS, 'clearImmediate', 'setImmediate'],
            checkGlobalObject: true,
          },
        ],
        'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
      },
    },
    {
      // They run in a browser too, and ask a `Clock` for the time.
      files: ['host/bridge/**', 'host/holder/**'],
      rules: { 'no-restricted-globals': ['error', { globals: GLOBALS, checkGlobalObject: true }] },
    },
    // Asks which Node this is, if it is one.
    { files: ['apdu/require-node.ts'], rules: { 'no-restricted-globals': 'off' } },
    {
      files: ['test/**'],
      plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise', 'vitest'],
      rules: {
        'vitest/expect-expect': ['error', { assertFunctionNames: ['expect*', 'assert*', 'fc.assert'] }],
        'vitest/no-disabled-tests': 'error',
        'vitest/no-focused-tests': 'error',
        // Vitest takes a message as the second argument.
        'vitest/valid-expect': ['error', { maxArgs: 2 }],
        'max-lines': 'off',
        'typescript/no-unsafe-type-assertion': 'off',
        'unicorn/consistent-function-scoping': 'off',
      },
    },
  ],
});
