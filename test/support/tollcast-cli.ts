import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The program, to be run by the Node of this process. */
export const TOLLCAST = fileURLToPath(new URL('../../host/cli/tollcast.ts', import.meta.url));

/** How a program ended. */
export interface CliRun {
  /** Exit status; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tollcast` to its end, with nothing on standard input. @param options of the process; env instead of ours. */
export function runTollcast(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<CliRun> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [TOLLCAST, ...args], options, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
    child.stdin?.end();
  });
}
