import type { CardChannel } from '../../../apdu/card-channel.ts';
import { formatCardId } from '../../../apdu/decode-module/card-id.ts';
import { DecodeModule } from '../../../apdu/decode-module/decode-module.ts';
import { InputError, TollcastError } from '../../../apdu/errors.ts';
import { parseCommand } from '../../../apdu/iso7816/command-apdu.ts';
import { fromHex } from '../../../apdu/octets.ts';
import { openCard } from '../../transport/card/card-address.ts';
import { tellCommands } from '../card/card-trace.ts';
import { type CardOptions, printWaiting } from '../options/card-option.ts';
import { requireOperands, SHELL_COMMANDS } from './shell-commands.ts';
import { ShellHistory } from './shell-history.ts';
import { readLines } from './shell-lines.ts';

/** What is there beside the commands of `shell-commands.ts`. */
const BUILT_IN: readonly (readonly [usage: string, help: string])[] = [
  ['00 A4 04 00 ...', 'send a command as it is, in hexadecimal; its answer is shown'],
  ['trace on|off', 'show each command and its answer, without what is secret'],
  ['reset', 'let the card go and open it again'],
  ['help', 'this list'],
  ['quit', 'end; Ctrl-D does the same'],
];

/** `tollcast card shell` */
export async function runShell(options: CardOptions): Promise<void> {
  const shell = new CardShell(options);
  await shell.open();
  try {
    const names = [...SHELL_COMMANDS.map(({ name }) => name), 'trace on', 'trace off', 'reset', 'help', 'quit'];
    for await (const line of readLines(new ShellHistory(), names)) {
      if ((await shell.take(line.trim())) === 'quit') return;
    }
  } finally {
    await shell.close();
  }
}

/** Takes lines in the card's language and prints what comes of them. */
class CardShell {
  readonly #options: CardOptions;
  #opened: CardChannel | undefined;
  /** The card, with the trace before it. */
  #channel: CardChannel | undefined;
  #isTraced: boolean;

  constructor(options: CardOptions) {
    this.#options = options;
    this.#isTraced = options.trace === true;
  }

  /** @throws TransportError when the card is not there. */
  async open(): Promise<void> {
    const { card, wait } = this.#options;
    const opened = await openCard(card, {
      wait,
      onWaiting: printWaiting,
      lendAs: 'tollcast card shell',
      mayBorrow: true,
    });
    this.#opened = opened;
    const traced = tellCommands(opened, write);
    this.#channel = {
      atr: opened.atr,
      transmit: (command) => (this.#isTraced ? traced : opened).transmit(command),
      close: () => opened.close(),
    };
    await this.#try(async (channel) => {
      const { cardId, life } = await new DecodeModule(channel).select();
      return [`decode module ${formatCardId(cardId)}, ${life}; type help for what can be asked`];
    });
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    this.#channel = undefined;
    await opened?.close();
  }

  async take(line: string): Promise<'quit' | undefined> {
    const [word = '', ...operands] = line.split(/\s+/);
    if (word === '' || word.startsWith('#')) return undefined;
    if (word === 'quit' || word === 'exit') return 'quit';
    if (word === 'help') HELP.forEach(write);
    else if (word === 'trace') await this.#try(async () => this.#setTrace(operands));
    else if (word === 'reset') await this.#try(() => this.#reset());
    else {
      const command = SHELL_COMMANDS.find(({ name }) => name === word);
      await this.#try(async (channel) => {
        if (command === undefined) return this.#sendRaw(channel, line);
        requireOperands(command, operands);
        return command.run(channel, operands);
      });
    }
    return undefined;
  }

  async #try(work: (channel: CardChannel) => Promise<readonly string[]>): Promise<void> {
    try {
      if (this.#channel === undefined) throw new InputError('the card is not open; type: reset');
      (await work(this.#channel)).forEach(write);
    } catch (error) {
      if (!(error instanceof TollcastError)) throw error;
      write(`${error.code}: ${error.message}`);
    }
  }

  /** Sends a command; its answer is told by the trace. */
  async #sendRaw(channel: CardChannel, line: string): Promise<string[]> {
    const command = readCommand(line);
    const isTraced = this.#isTraced;
    this.#isTraced = true;
    try {
      await channel.transmit(command);
    } finally {
      this.#isTraced = isTraced;
    }
    return [];
  }

  #setTrace([word, ...more]: readonly string[]): string[] {
    if ((word !== 'on' && word !== 'off') || more.length > 0)
      throw new InputError('write it as: trace on, or trace off');
    this.#isTraced = word === 'on';
    return [`the trace is ${word}`];
  }

  async #reset(): Promise<string[]> {
    await this.close();
    await this.open();
    return [];
  }
}

/** @throws InputError when the line is neither a word of the shell nor a command in hexadecimal. */
function readCommand(line: string): Uint8Array {
  try {
    const command = fromHex(line.replace(/^apdu\b/, ''));
    parseCommand(command);
    return command;
  } catch (cause) {
    if (!(cause instanceof TollcastError)) throw cause;
    const word = line.split(/\s/, 1)[0] ?? '';
    const isHex = /^[0-9a-fA-F]{2}/.test(word);
    throw new InputError(isHex ? cause.message : `"${word.slice(0, 40)}" is not a command; type: help`, { cause });
  }
}

const HELP: readonly string[] = formatHelp();

function formatHelp(): string[] {
  const rows = [
    ...SHELL_COMMANDS.map(({ name, operands, help }) => [`${name} ${operands}`.trim(), help] as const),
    ...BUILT_IN,
  ];
  const width = Math.max(...rows.map(([usage]) => usage.length));
  return rows.map(([usage, help]) => `${usage.padEnd(width)}  ${help}`);
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
