import type koffi from 'koffi';

type Koffi = typeof koffi;

let loaded: Promise<Koffi | undefined> | undefined;

/** koffi, where it is installed and has a build for this machine: an optional dependency, whose users all have another way. */
export function loadKoffi(): Promise<Koffi | undefined> {
  loaded ??= import('koffi').then(
    (module) => module.default,
    () => undefined,
  );
  return loaded;
}
