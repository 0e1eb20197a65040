import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { InputError } from '../../../apdu/errors.ts';
import { systemClock } from '../../clock/clock.ts';
import { readConfig } from '../../headend/config/read-config.ts';
import { Operators } from '../../headend/roles/operators.ts';
import { openHeadendStore } from '../../store/headend/headend-store.ts';
import { wholeNumber } from '../options/number-option.ts';
import { OperatorClient } from './operator-client.ts';

interface ConfigOption {
  readonly config: string;
}

/** Adds the commands that change what a head-end sells while it runs. */
export function addOperatorCommands(headend: Command): void {
  const service = headend.command('service').description('services that a head-end sells');
  withConfig(service, 'list', 'list services and what they have sent').action(({ config }: ConfigOption) =>
    show(config, '/v1/operator/services'),
  );
  withConfig(service, 'put', 'sell a service, or sell it otherwise')
    .argument('<file>', 'its definition, as it stands in a configuration: YAML or JSON')
    .action(putService);
  withConfig(service, 'remove', 'sell a service no longer')
    .argument('<number>', 'number of the service', parseNumber)
    .action(async (number: number, { config }: ConfigOption) => {
      await (await OperatorClient.open(config)).ask('DELETE', `/v1/operator/services/${number}`);
    });

  const session = headend.command('session').description('multicast sessions of a service');
  withConfig(session, 'put', 'add a session to a service, or change it')
    .argument('<number>', 'number of the service', parseNumber)
    .argument('<file>', 'its definition: YAML or JSON')
    .action(putSession);
  withConfig(session, 'remove', 'take a session out of its service')
    .argument('<number>', 'number of the service', parseNumber)
    .argument('<name>', 'name of the session')
    .action(async (number: number, name: string, { config }: ConfigOption) => {
      const path = `/v1/operator/services/${number}/sessions/${encodeURIComponent(name)}`;
      await (await OperatorClient.open(config)).ask('DELETE', path);
    });

  withConfig(headend, 'changes', 'show who changed what, the newest first').action(({ config }: ConfigOption) =>
    show(config, '/v1/operator/changes'),
  );

  const operator = headend.command('operator').description('who may change what a head-end sells');
  withConfig(operator, 'add', 'add an operator, or give one a new token, which is told this once')
    .argument('<name>', 'letters, digits and . @ _ -')
    .action(async (name: string, { config }: ConfigOption) => {
      await using store = await openState(config);
      process.stdout.write(`${await new Operators(store, systemClock).add(name)}\n`);
    });
  withConfig(operator, 'remove', 'let an operator in no longer')
    .argument('<name>', 'its name')
    .action(async (name: string, { config }: ConfigOption) => {
      await using store = await openState(config);
      const wasThere = await new Operators(store, systemClock).remove(name);
      if (!wasThere) throw new InputError(`there is no operator ${name.slice(0, 60)}; check the name`);
    });
}

function withConfig(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .requiredOption('--config <file>', 'required: the configuration that the head-end runs by');
}

const parseNumber = wholeNumber(1, 0xffff_ffff);

async function putService(file: string, { config }: ConfigOption): Promise<void> {
  const definition = await readDefinition(file);
  const number = Number(Reflect.get(definition, 'number'));
  if (!Number.isInteger(number)) throw new InputError(`${file} names no number of a service; add it`);
  await (await OperatorClient.open(config)).ask('PUT', `/v1/operator/services/${number}`, definition);
}

async function putSession(number: number, file: string, { config }: ConfigOption): Promise<void> {
  const definition = await readDefinition(file);
  const name = encodeURIComponent(String(Reflect.get(definition, 'name')));
  const client = await OperatorClient.open(config);
  await client.ask('PUT', `/v1/operator/services/${number}/sessions/${name}`, definition);
}

async function readDefinition(file: string): Promise<object> {
  try {
    const value: unknown = parse(await readFile(file, 'utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // The refusal below says it.
  }
  throw new InputError(`${file} is not a definition in YAML or JSON; write it as it stands in a configuration`);
}

async function show(config: string, path: string): Promise<void> {
  const answer = await (await OperatorClient.open(config)).ask('GET', path);
  process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
}

async function openState(config: string): ReturnType<typeof openHeadendStore> {
  const { plan } = await readConfig(config);
  return openHeadendStore(plan.state);
}
