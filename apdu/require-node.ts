/**
 * Every entry imports this before anything else: an older Node fails on what it does not know, with a stack trace that
 * does not say why. A browser is asked nothing.
 */
const MIN_NODE = 24;
const version = typeof process === 'undefined' ? undefined : process.versions?.node;

if (version !== undefined && Number.parseInt(version, 10) < MIN_NODE) {
  const message =
    `tollcast needs Node ${MIN_NODE} or newer, and this is Node ${version}; ` +
    `install it, or put this before what you typed: npx -y -p node@${MIN_NODE}`;
  process.stderr.write(`${message}\n`);
  try {
    process.exit(1);
  } catch {
    // Vitest lets no test file end its process. It shows an error's stack, which would hide the message.
    throw Object.assign(new Error(message), { stack: message });
  }
}
