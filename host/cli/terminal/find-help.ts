import type { Command } from 'commander';

/** What shows the help of the command that was typed, as far as there is one. @param words behind the program's name. */
export function findHelp(program: Command, words: readonly string[]): string {
  let command = program;
  const names = [program.name()];
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) continue;
    command = next;
    names.push(word);
  }
  return `${names.join(' ')} --help`;
}
