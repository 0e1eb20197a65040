/** How the page looks. */
export const STYLE = `
body { margin: 0; background: #111; color: #eee; font: 1rem/1.5 system-ui, sans-serif; }
video { display: block; width: 100%; height: calc(100vh - 9rem); min-height: 8rem; background: #000; }
section { padding: 0.5rem 1rem; display: flex; flex-wrap: wrap; align-items: center; gap: 0.75rem 1rem; }
button, select, input { font: inherit; padding: 0.25rem 0.75rem; }
dl { margin: 0; display: flex; gap: 0 1.5rem; flex-wrap: wrap; }
dl div { display: flex; gap: 0.5rem; }
dt { color: #aaa; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
dialog { max-width: 32rem; background: #222; color: #eee; border: 1px solid #666; }
dialog form { display: flex; gap: 1rem; justify-content: end; }
[hidden] { display: none !important; }
`;

export const BODY =
  '<video controls></video>' +
  '<section><label>Card <select id="card"><option value="soft">of this browser</option>' +
  '<option value="usb">USB token</option></select></label>' +
  '<label id="bring" hidden>file of a soft card <input id="file" type="file"></label>' +
  '<label>PIN <input id="pin" type="password" inputmode="numeric" size="8" maxlength="8" autocomplete="off" ' +
  'placeholder="if it has one"></label>' +
  '<button id="play" disabled>Play</button><button id="stop" hidden>Stop</button>' +
  '<span id="state" role="status">This page needs JavaScript.</span></section>' +
  '<section><dl><div><dt>price</dt><dd id="price">-</dd></div><div><dt>paid</dt><dd id="paid">-</dd></div>' +
  '<div><dt>balance</dt><dd id="balance">-</dd></div><div><dt>bill</dt><dd id="bill">-</dd></div></dl></section>' +
  '<dialog id="question"><p></p><form method="dialog"><button value="no" autofocus>No</button>' +
  '<button value="yes">Pay it</button></form></dialog>';
