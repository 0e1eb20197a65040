/** Letters of a text that is found inside of words too. */
const MIN_INSIDE = 4;
/** Letters of a word of a name or address that is looked for by itself. */
const MIN_WORD = 3;

/**
 * Makes what takes a person's texts out of what operators wrote: the texts, and each longer word of them, in whatever
 * case.
 * @param pseudonym stands in their place.
 * @param isOwn whether what is written is of this person alone: longer texts are then found inside of words too.
 */
export function makeRedactor(texts: readonly string[], pseudonym: string, isOwn: boolean): (text: string) => string {
  const wanted = new Set<string>();
  for (const text of texts) {
    wanted.add(text);
    for (const word of text.split(/[\s,;]+/u)) if (word.length >= MIN_WORD) wanted.add(word);
  }
  const patterns = [...wanted]
    .filter((text) => text !== '')
    .toSorted((a, b) => b.length - a.length)
    .map((text) =>
      !isOwn || text.length < MIN_INSIDE ? String.raw`(?<![\p{L}\p{N}])${escape(text)}(?![\p{L}\p{N}])` : escape(text),
    );
  if (patterns.length === 0) return (text) => text;
  const found = new RegExp(patterns.join('|'), 'giu');
  return (text) => text.replace(found, () => pseudonym);
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}
