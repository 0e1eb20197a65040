/** Writes a word of a command as a shell reads it back: `soft:my.card`, `'pcsc:ACS ACR39U 00 00'`. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
