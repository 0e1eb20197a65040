/**
 * Every entry imports this before anything else: an older Node fails on what it does not know, with a stack trace that does not say why.
 * A browser is asked nothing.
 */
const MIN_NODE = 24;
const version = typeof process === 'undefined' ? undefined : process.versions?.node;

if (version !== undefined && Number.parseInt(version, 10) < MIN_NODE) {
  process.stderr.write(
    `tollcast needs Node ${MIN_NODE} or newer, and this is Node ${version}; ` +
      `install it, or put this before what you typed: npx -y -p node@${MIN_NODE}\n`,
  );
  process.exit(1);
}
