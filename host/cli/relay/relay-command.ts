import type { Command } from 'commander';
import { RelayServer } from '../../relay/relay-server.ts';
import { Relay } from '../../relay/relay.ts';
import {
  chooseKeyPort,
  type MulticastAddress,
  parseMulticastAddress,
} from '../../transport/network/multicast-address.ts';
import { wholeNumber } from '../options/number-option.ts';
import { addSource } from '../options/source-option.ts';

interface RelayOptions {
  readonly address: MulticastAddress;
  readonly keyPort?: number;
  readonly interface: string;
  readonly source?: readonly string[];
  readonly port: number;
}

/** Adds `tollcast relay` to the program. */
export function addRelayCommand(program: Command): void {
  program
    .command('relay')
    .description('let a web page receive a pay stream, open it with a card of its own and play it')
    .requiredOption('--address <address:port>', 'address of the stream, as in 239.1.2.3:5000', parseMulticastAddress)
    .option('--key-port <port>', 'port of the key messages (default: the media port + 2)', wholeNumber(1, 65_535))
    .option(
      '--source <address>',
      'IPv4 address that the stream comes from; what others send is let go (several: give it again)',
      addSource,
    )
    .option('--interface <address>', 'address of the interface to receive by', '127.0.0.1')
    .option(
      '--port <port>',
      'TCP port of the page, which keeps its card by this; with 0 the system chooses one',
      wholeNumber(0, 65_535),
      8475,
    )
    .action(relayStream);
}

async function relayStream(options: RelayOptions): Promise<void> {
  const { address: stream, keyPort, interface: local, port: pagePort, source: sources } = options;
  const { address, port } = stream;
  const relay = await Relay.open({ address, port, keyPort: chooseKeyPort(port, keyPort), interface: local, sources });
  try {
    const server = await RelayServer.open(relay, pagePort);
    try {
      process.stderr.write(`tollcast: relays ${address}:${port} to ${server.where}; open that in a browser\n`);
      await untilStopped();
      if (relay.missed > 0) {
        process.stderr.write(`tollcast: pages missed ${relay.missed} datagrams, as they took too little at a time\n`);
      }
    } finally {
      await server.close();
    }
  } finally {
    await relay.close();
  }
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}
