import { escapeUTF8 } from 'entities';

const STYLE = `
@page { size: A4; margin: 18mm 16mm }
body { font: 10.5pt/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere }
header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 1rem 2rem; margin-bottom: 2rem }
header > * { min-width: 0; max-width: 100% }
address { font-style: normal; white-space: pre-line }
h1 { font-size: 1.5rem; margin: 0 0 .5rem }
dl { display: grid; grid-template-columns: max-content minmax(0, auto); gap: .1rem 1rem; margin: 0 }
dt { color: #555 } dd { margin: 0 }
table { width: 100%; border-collapse: collapse; margin: 1.5rem 0 }
thead { display: table-header-group } tr { break-inside: avoid }
th { text-align: left; border-bottom: 2px solid #1a1a1a; padding: .3rem .5rem .3rem 0 }
td { border-bottom: 1px solid #ccc; padding: .35rem .5rem .35rem 0; vertical-align: top }
.amount { text-align: right; padding-right: 0 }
.number { white-space: nowrap; font-variant-numeric: tabular-nums }
small { display: block; color: #555 }
tfoot td { border: 0; padding-top: .2rem } tfoot .payable td { font-weight: 700; border-top: 2px solid #1a1a1a }
@media print { body { margin: 0; max-width: none; padding: 0 } }
`;

/**
 * Makes a page that people can read and print.
 * @param title as text.
 * @param body as HTML, in which all that comes from elsewhere is escaped.
 */
export function renderPrintedPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeUTF8(title)}</title><style>${STYLE}</style></head><body>
${body}
</body></html>
`;
}
