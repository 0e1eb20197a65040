import { TransportError } from '../../../apdu/errors.ts';
import type { Output } from '../output.ts';

/** A folder, which takes files and no stream. */
export function openFolderOutput(path: string): Output {
  const { promise: ended, resolve: end } = Promise.withResolvers<TransportError | undefined>();
  return {
    where: path,
    lost: 0,
    withheld: 0,
    isReady: true,
    ended,
    onReady: undefined,
    write: () =>
      end(new TransportError('OUTPUT', `${path} is a folder, and what is sent is a stream; name a file with --out`)),
    close: async () => {},
  };
}
