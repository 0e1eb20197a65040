import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeasurementError } from '../measurement-error.ts';
import { ADDRESS } from '../paid-service.ts';
import { LiveDesk } from './live-desk.ts';

/** ms. */
export const CLOSING_TIME = 250;
const LINES = 100;

/**
 * Sends lines by standard input, some ms to a second apart.
 * @returns ms from the writing of each line until `tollcast watch` has given it to the program that reads it.
 */
export async function measureLineAges(desk: LiveDesk, port: number): Promise<readonly number[]> {
  const to = `--address ${ADDRESS}:${port}`;
  const watch = desk.start(`watch ${to} --card soft:my.card --out stdout --yes`);
  const ages: number[] = [];
  const came = Promise.withResolvers<void>();
  createInterface({ input: watch.process.stdout! }).on('line', (line) => {
    const writtenAt = Number(line);
    if (writtenAt > 0) ages.push(performance.now() - writtenAt);
    else came.resolve();
  });
  await watch.says('listening');
  const how = `--closing-time ${CLOSING_TIME} --end-at-stop --grant ${LiveDesk.CARD}`;
  const send = desk.start(`headend send --source - ${to} ${how} --price`, '1.00 USD/MB');
  send.process.stdin!.write('the first, which waits for the keys\n');
  await came.promise;
  for (let i = 0; i < LINES; i++) {
    send.process.stdin!.write(`${performance.now()}\n`);
    await sleep(i % 10 === 0 ? 1000 : (i * 37) % 90);
  }
  send.process.stdin!.end();
  await send.ended;
  await watch.ended;
  if (ages.length !== LINES) throw new MeasurementError(`of ${LINES} lines ${ages.length} came`);
  return ages;
}
