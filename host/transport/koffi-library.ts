import type koffi from 'koffi';

type Koffi = typeof koffi;

let loaded: Promise<Koffi | undefined> | undefined;

/** Loads koffi, an optional dependency. @returns nothing where it is not installed or has no build for this machine. */
export function loadKoffi(): Promise<Koffi | undefined> {
  loaded ??= import('koffi').then(
    (module) => module.default,
    () => undefined,
  );
  return loaded;
}
