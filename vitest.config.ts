import './apdu/require-node.ts';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // pcsclite aborts the process when it is used in a worker thread.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    // A hook may start a Java virtual machine, pcscd and a card.
    hookTimeout: 60_000,
    teardownTimeout: 15_000,
    // What is waited for may have to start a program on a loaded machine.
    expect: { poll: { timeout: 20_000 } },
  },
});
