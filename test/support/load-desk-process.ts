/** A desk for loads in a process of its own, for tests that kill it between two steps: questions in, answers out. */
import { systemClock } from '../../host/clock/clock.ts';
import { detailsOf } from '../../host/contract/answers/problem.ts';
import { formatLoadReply } from '../../host/contract/loads/load-messages.ts';
import { CreditBook } from '../../host/headend/loads/credit-book.ts';
import { LoadRole } from '../../host/headend/loads/load-role.ts';
import { ReceiptRole } from '../../host/headend/receipts/receipt-role.ts';
import { Accounts } from '../../host/issuer/cards/accounts.ts';
import { KeyStore } from '../../host/issuer/keys/key-store.ts';
import { parseMoney } from '../../host/money/amount.ts';
import { GroupWriter } from '../../host/store/group-writer.ts';
import { headendDatabase, openHeadendStore } from '../../host/store/headend/headend-store.ts';
import { PASSPHRASE } from './issuer-fixture.ts';

/** What is asked of the desk, or of its operator. */
export type LoadDeskQuestion =
  | { readonly what: 'ask'; readonly request: string; readonly key: string; readonly voucher?: string }
  | { readonly what: 'prove'; readonly proof: string }
  | {
      readonly what: 'grant';
      readonly name: string;
      readonly cardId: string;
      readonly kind: 'cash' | 'credit limit';
      readonly amount: string;
    }
  | { readonly what: 'vouchers'; readonly count: number; readonly amount: string }
  /** After so many steps more. */
  | { readonly what: 'die'; readonly after: number };

export interface LoadDeskAnswer {
  readonly status: number;
  readonly text: string;
}

const [issuer, state] = process.argv.slice(2);
if (issuer !== undefined && state !== undefined && process.send !== undefined) {
  await serve(issuer, state, process.send.bind(process));
}

async function serve(
  directory: string,
  path: string,
  send: (message: LoadDeskAnswer | 'ready') => void,
): Promise<void> {
  const store = await openHeadendStore(path);
  const writer = new GroupWriter(headendDatabase(path));
  const keys = new KeyStore(directory, async () => PASSPHRASE);
  const openMaster = (name: Parameters<KeyStore['open']>[0]) => keys.open(name);
  const receipts = await ReceiptRole.open({
    receiptMaster: await keys.open('receipt'),
    issuer: 0x0a1b2c,
    directory,
    clock: systemClock,
    store,
    writer,
    log: { error: () => undefined },
  });
  const loads = await LoadRole.open({ store, writer, receipts, isConfigured: true, openMaster, clock: systemClock });
  let steps = Infinity;
  const step = () => {
    steps -= 1;
    if (steps === 0) process.kill(process.pid, 'SIGKILL');
  };
  // Before and after everything that reaches a disk.
  dieAround(CreditBook.prototype, ['claim', 'settle'], step);
  dieAround(GroupWriter.prototype, ['commit'], step);
  dieAround(Accounts.prototype, ['transaction', 'recordProof'], step);
  process.on('message', (question: LoadDeskQuestion) => {
    void answer(question).then((text) => send(text));
  });
  send('ready');

  async function answer(question: LoadDeskQuestion): Promise<LoadDeskAnswer> {
    switch (question.what) {
      case 'ask': {
        const reply = await loads.desk!.ask(question);
        if ('problem' in reply) return problemOf(reply.problem);
        return { status: 200, text: formatLoadReply(reply) };
      }
      case 'prove': {
        const reply = await loads.desk!.prove(question.proof);
        return 'problem' in reply ? problemOf(reply.problem) : { status: 200, text: JSON.stringify(reply) };
      }
      case 'grant': {
        const { amount, ...grant } = question;
        return {
          status: 200,
          text: String(await loads.credits!.grant({ ...grant, money: parseMoney(amount) }, 'test')),
        };
      }
      case 'vouchers': {
        const codes = await loads.credits!.makeVouchers(question.count, parseMoney(question.amount), 'test');
        return { status: 200, text: JSON.stringify(codes) };
      }
      case 'die':
        steps = question.after;
        return { status: 200, text: '' };
    }
  }
}

function problemOf(problem: Parameters<typeof detailsOf>[0]): LoadDeskAnswer {
  const details = detailsOf(problem);
  return { status: details.status, text: JSON.stringify(details) };
}

function dieAround(prototype: object, names: readonly string[], step: () => void): void {
  for (const name of names) {
    const method: unknown = Reflect.get(prototype, name);
    if (typeof method !== 'function') throw new Error(`there is no ${name}`);
    Reflect.set(prototype, name, async function (this: unknown, ...args: unknown[]): Promise<unknown> {
      step();
      const result: unknown = await Reflect.apply(method, this, args);
      step();
      return result;
    });
  }
}
