import { defineConfig, type OxlintOverride } from 'oxlint';

/** The folders that the direction of dependencies is about; a path with one of these names in it leads there. */
const FOLDERS = [
  'apdu',
  'card-sim',
  'jcardsim',
  'stream',
  'transport',
  'bridge',
  'player',
  'issuer',
  'headend',
  'attack',
  'cli',
  'test',
  'scripts',
];

/**
 * Lets `files` import these folders alone and, when packages are given, these packages alone.
 * A later entry for the same file takes the place of an earlier one.
 */
function layer(files: string, folders: string[], packages?: string[]): OxlintOverride {
  const forbidden = FOLDERS.filter((folder) => !folders.includes(folder)).map((folder) => `**/${folder}/**`);
  const foreign = packages
    ? ['*', '!./**', '!../**', ...packages.map((name) => `!${name}`)]
    : ['tollcast', 'tollcast/**'];
  const message = `${files} may import ${[...folders, ...(packages ?? ['packages'])].join(', ')}, nothing else.`;
  return {
    files: [files],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ group: [...foreign, ...forbidden], message }] }],
    },
  };
}

export default defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise'],
  categories: { correctness: 'error', suspicious: 'error', perf: 'error' },
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  rules: {
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
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
    layer('apdu/**', ['apdu'], ['@noble/**']),
    layer('card-sim/**', ['card-sim', 'jcardsim', 'apdu']),
    // Starting a card is also opening it.
    layer('card-sim/*.ts', ['card-sim', 'jcardsim', 'apdu', 'transport']),
    layer('card-sim/soft/**', ['apdu'], ['@noble/**']),
    layer('card-sim/soft/state-*.ts', ['apdu'], ['node:*', 'node:*/**']),
    layer('host/stream/**', ['stream', 'apdu'], ['@noble/**']),
    layer('host/transport/**', ['transport', 'apdu']),
    layer('host/transport/sim{.ts,/**}', ['transport', 'apdu', 'card-sim']),
    // Faster ciphers than noble's, in the port that host/stream/ leaves open for them.
    layer('host/transport/*-aead.ts', ['transport', 'stream', 'apdu']),
    layer('host/bridge/**', ['bridge', 'transport', 'stream', 'apdu']),
    layer('host/player/**', ['player', 'transport', 'stream', 'apdu']),
    layer('host/issuer/**', ['issuer', 'transport', 'stream', 'apdu']),
    layer('host/headend/**', ['headend', 'transport', 'stream', 'apdu']),
    // The kit makes cards as the issuer does; nothing but the command line knows it.
    layer('host/attack/**', ['attack', 'issuer', 'transport', 'stream', 'apdu']),
    layer(
      'host/cli/**',
      FOLDERS.filter((folder) => folder !== 'test' && folder !== 'scripts'),
    ),
    {
      // Octets in, octets out, time as an argument.
      files: ['apdu/**', 'host/stream/**', 'card-sim/soft/**'],
      rules: {
        'no-restricted-globals': [
          'error',
          {
            globals: [
              'Buffer',
              'Date',
              'clearImmediate',
              'clearInterval',
              'clearTimeout',
              'console',
              'fetch',
              'performance',
              'process',
              'require',
              'setImmediate',
              'setInterval',
              'setTimeout',
            ],
            checkGlobalObject: true,
          },
        ],
        'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
      },
    },
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
