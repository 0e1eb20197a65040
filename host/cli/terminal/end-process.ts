import { hasCallUnderWay } from '../../transport/card/pcsc/pcsclite-calls.ts';
import { loadKoffi } from '../../transport/koffi-library.ts';

/**
 * Ends this process. Where a reader does not answer, Node would wait for the thread that asked it, for ever: then the
 * system ends the process at once.
 */
export async function endProcess(): Promise<void> {
  if (!hasCallUnderWay()) process.exit();
  const koffi = await loadKoffi();
  if (koffi === undefined) process.kill(process.pid, 'SIGKILL');
  else koffi.load(null).func('void _exit(int)')(Number(process.exitCode ?? 0));
}
