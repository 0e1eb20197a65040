import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';

const TABLE = '/proc/net/tcp';

/** One end of a TCP connection over IPv4. */
export interface TcpEnd {
  readonly address: string;
  readonly port: number;
}

/**
 * Tells how many octets that one end has sent the other has not read; those that no acknowledgement came for count.
 * Undefined when the connection is no more.
 */
export type UnreadOctets = (from: TcpEnd, to: TcpEnd) => number | undefined;

/**
 * Reads the queues of the TCP connections of this machine (proc(5), /proc/net/tcp). Of a connection between two programs
 * of this machine it tells what the other program has not read; else, what has not got to the other machine.
 * @returns undefined where the system does not tell.
 */
export async function readTcpQueues(): Promise<UnreadOctets | undefined> {
  let table: string;
  try {
    table = await readFile(TABLE, 'latin1');
  } catch {
    return undefined;
  }
  return (from, to) => {
    const [near, far] = [formatEnd(from), formatEnd(to)];
    const sent = readQueue(table, near, far, 'sent');
    return sent === undefined ? undefined : sent + (readQueue(table, far, near, 'received') ?? 0);
  };
}

/** A line of the table: number, local end, other end, state, then both queues as sent:received. */
function readQueue(table: string, local: string, other: string, queue: 'sent' | 'received'): number | undefined {
  const name = `: ${local} ${other} `;
  const at = table.indexOf(name);
  if (at < 0) return undefined;
  const queues = at + name.length + '01 '.length;
  return Number.parseInt(table.slice(...(queue === 'sent' ? [queues, queues + 8] : [queues + 9, queues + 17])), 16);
}

/** As the kernel prints it: the address as a number of this machine, then the port. */
function formatEnd({ address, port }: TcpEnd): string {
  const parts = address.split('.').map(Number);
  const octets = endianness() === 'LE' ? parts.toReversed() : parts;
  const hex = octets.map((octet) => octet.toString(16).padStart(2, '0')).join('');
  return `${hex}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}
