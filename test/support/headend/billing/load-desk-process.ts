/** A desk for loads in a process of its own, for tests that kill it at a step. */
import { flushCompileCache } from 'node:module';
import { CreditBook } from '../../../../host/headend/loads/credit-book.ts';
import { LostCards } from '../../../../host/headend/loads/lost-cards.ts';
import { Accounts } from '../../../../host/issuer/cards/accounts.ts';
import { GroupWriter } from '../../../../host/store/group-writer.ts';
import { type LoadDeskAnswer, type LoadDeskQuestion, OpenLoadDesk } from './load-desk.ts';

/** What the process is told: to open its desk, to die at a step, or to answer. */
export type LoadDeskOrder =
  | { readonly what: 'open'; readonly issuer: string; readonly state: string }
  /** At so many steps more. */
  | { readonly what: 'die'; readonly after: number }
  | LoadDeskQuestion;

// Who is killed keeps nothing of it otherwise.
flushCompileCache();
if (process.send !== undefined) serve(process.send.bind(process));

function serve(send: (message: LoadDeskAnswer) => void): void {
  let desk: OpenLoadDesk | undefined;
  let steps = Infinity;
  const step = () => {
    steps -= 1;
    if (steps === 0) process.kill(process.pid, 'SIGKILL');
  };
  process.on('message', (order: LoadDeskOrder) => {
    void answer(order).then((text) => send(text));
  });

  async function answer(order: LoadDeskOrder): Promise<LoadDeskAnswer> {
    switch (order.what) {
      case 'open':
        desk = await OpenLoadDesk.open(order.issuer, order.state);
        // Nothing but these writes, so the disk before one is as it was after the last.
        dieAfter(CreditBook.prototype, ['claim', 'settle'], step);
        dieAfter(LostCards.prototype, ['settle'], step);
        dieAfter(GroupWriter.prototype, ['commit'], step);
        dieAfter(Accounts.prototype, ['transaction', 'recordProof'], step);
        return { status: 200, text: '' };
      case 'die':
        steps = order.after;
        return { status: 200, text: '' };
      default:
        // The first step is before anything is written.
        if (order.what === 'ask') step();
        return desk!.ask(order);
    }
  }
}

function dieAfter(prototype: object, names: readonly string[], step: () => void): void {
  for (const name of names) {
    const method: unknown = Reflect.get(prototype, name);
    if (typeof method !== 'function') throw new Error(`there is no ${name}`);
    Reflect.set(prototype, name, async function (this: unknown, ...args: unknown[]): Promise<unknown> {
      const result: unknown = await Reflect.apply(method, this, args);
      step();
      return result;
    });
  }
}
