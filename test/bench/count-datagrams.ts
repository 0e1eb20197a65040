import { openUdpReceiver } from '../../host/transport/network/udp-receiver.ts';
import { LOOPBACK } from '../support/streams/test-service.ts';

/** Counts the datagrams that come to ADDRESS PORT, and prints how many when standard input ends. */
const [address = '', port = ''] = process.argv.slice(2);
let count = 0;
const receiver = await openUdpReceiver({
  address,
  port: Number(port),
  interface: LOOPBACK,
  coalesce: true,
  onDatagrams: (datagrams) => (count += datagrams.length),
});
process.stdout.write('ready\n');
process.stdin.resume().on('end', () => {
  void receiver.close().then(() => process.stdout.write(`${count}\n`));
});
