import { readConfig } from '../../headend/config/read-config.ts';
import { loadSchemes } from '../../headend/roles/money/load-schemes.ts';
import { KeyStore } from '../../issuer/keys/key-store.ts';
import { openUplinkKeys } from '../../issuer/keys/uplink-keys.ts';
import { backUpHeadendStore } from '../../store/headend/headend-store.ts';
import { askPassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';
import type { ConfigOption } from './config-option.ts';

/** Runs a head-end until a signal stops it. */
export async function serve({ config: path, ...options }: ConfigOption & PassphraseOptions): Promise<void> {
  const config = await readConfig(path);
  // What only a server needs is loaded by servers alone.
  const { pino } = await import('pino');
  const { Headend } = await import('../../headend/roles/headend.ts');
  const { plan } = config;
  const keys = new KeyStore(plan.issuer, () => askPassphrase(options));
  const log = pino(
    { level: plan.log, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: ['req.headers'] },
    pino.destination({ dest: 2, sync: true }),
  );
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  const starting = Headend.start({
    config,
    openMaster: (name) => keys.open(name),
    hasMaster: (name) => keys.has(name),
    openUplinkKeys: () => openUplinkKeys(plan.issuer, keys),
    log,
  });
  // Whoever stops it while it starts need not wait for what it waits for.
  const headend = await Promise.race([starting, stopped]);
  if (headend === undefined) return;
  const { keyId, publicFile } = headend.signer;
  if (publicFile !== undefined) {
    log.info(
      { publicFile },
      `offers are signed; cards trust them after: issuer trust --place 0 --trust ${keyId}=${publicFile}`,
    );
  }
  const failure = await Promise.race([stopped, headend.failed]);
  log.info({}, 'stopping');
  await headend.close();
  if (failure !== undefined) throw failure;
}

/** Checks a configuration, and names what it sells. */
export async function check({ config }: ConfigOption): Promise<void> {
  const { plan } = await readConfig(config);
  await loadSchemes(plan.schemes);
  for (const { number, name, sessions } of plan.services) {
    const to = sessions.map(({ to: { address, port } }) => `${address}:${port}`).join(', ');
    process.stdout.write(`service ${number}, ${name}: ${to}\n`);
  }
}

/** Copies the database of a head-end. */
export async function backUp(file: string, { config }: ConfigOption): Promise<void> {
  const { plan } = await readConfig(config);
  await backUpHeadendStore(plan.state, file);
  process.stdout.write(`${file} holds the database of ${plan.state}\n`);
}
