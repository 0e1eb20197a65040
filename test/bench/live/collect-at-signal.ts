import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** One collection may keep what died while it was marking. */
const COLLECTIONS = 4;

// Loaded into a process before its program. At the signal it lets go of what nobody uses any more, so that what it holds
// is what it needs.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
process.on('SIGUSR2', () => void collectAll());

async function collectAll(): Promise<void> {
  for (let i = 0; i < COLLECTIONS; i++) {
    collect();
    await nextTurn();
  }
}
