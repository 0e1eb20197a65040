/** Something does not add up after a kill. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

/** @throws Mismatch that says what was to be so, and what is. */
export function requireEqual(what: string, is: unknown, expected: unknown): void {
  if (is === expected) return;
  throw new Mismatch(`${what}: ${String(is)}, and not ${String(expected)}`);
}

/** @throws Mismatch */
export function requireThat(isSo: boolean, what: string): void {
  if (!isSo) throw new Mismatch(what);
}
