import { TransportError } from '../../../apdu/errors.ts';

/** The error for people, where a port cannot be listened at. @param where address and port. */
export function explainListen(cause: unknown, where: string): unknown {
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
  if (code === 'EADDRINUSE') {
    return new TransportError(
      'PORT_TAKEN',
      `another program listens at ${where}; stop it, or name another port: listen`,
      {
        cause,
      },
    );
  }
  if (code === 'EADDRNOTAVAIL') {
    return new TransportError('ADDRESS_UNREACHABLE', `${where} is not an address of this machine; correct listen`, {
      cause,
    });
  }
  return cause;
}
