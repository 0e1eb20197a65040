import type { Command } from 'commander';
import { readConfig } from '../../headend/config/read-config.ts';
import { KeyStore } from '../../issuer/keys/key-store.ts';
import { backUpHeadendStore } from '../../store/headend/headend-store.ts';
import { addPassphraseOptions, askPassphrase, type PassphraseOptions } from '../terminal/passphrase.ts';

interface ConfigOption {
  readonly config: string;
}

/** Adds the commands that run a head-end by its configuration. */
export function addServeCommands(headend: Command): void {
  const withConfig = (name: string, description: string) =>
    headend
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'required: what is sold and how it is sent, YAML or JSON');
  addPassphraseOptions(withConfig('serve', 'send and sell the services of a configuration')).action(serve);
  withConfig('check', 'check a configuration').action(check);
  withConfig('backup', 'copy the database of a head-end, also while it is in use')
    .argument('<file>', 'the copy; it is not there yet')
    .action(backUp);
}

async function serve({ config: path, ...options }: ConfigOption & PassphraseOptions): Promise<void> {
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
  const headend = await Headend.start({ config, openMaster: (name) => keys.open(name), log });
  const { keyId, publicFile } = headend.signer;
  if (publicFile !== undefined) {
    log.info({ publicFile }, `offers are signed; cards trust them after: issuer trust --trust ${keyId}=${publicFile}`);
  }
  await stopped;
  log.info({}, 'stopping');
  await headend.close();
}

async function check({ config }: ConfigOption): Promise<void> {
  const { plan } = await readConfig(config);
  for (const { number, name, sessions } of plan.services) {
    const to = sessions.map(({ to: { address, port } }) => `${address}:${port}`).join(', ');
    process.stdout.write(`service ${number}, ${name}: ${to}\n`);
  }
}

async function backUp(file: string, { config }: ConfigOption): Promise<void> {
  const { plan } = await readConfig(config);
  await backUpHeadendStore(plan.state, file);
  process.stdout.write(`${file} holds the database of ${plan.state}\n`);
}
