import type {
  KyselyPlugin,
  PluginTransformQueryArgs,
  PluginTransformResultArgs,
  QueryResult,
  RootOperationNode,
  UnknownRow,
} from 'kysely';
import { TollcastError } from '../../apdu/errors.ts';

/**
 * A database hands out every integer as a bigint. This turns the columns named into numbers and booleans; what is not
 * named stays a bigint. A column is known by its name in the result, so a query must not give it another.
 */
export class SmallColumnsPlugin implements KyselyPlugin {
  readonly #kinds: ReadonlyMap<string, 'number' | 'boolean'>;

  constructor(kinds: Readonly<Record<string, 'number' | 'boolean'>>) {
    this.#kinds = new Map(Object.entries(kinds));
  }

  transformQuery({ node }: PluginTransformQueryArgs): RootOperationNode {
    return node;
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return { ...result, rows: result.rows.map((row) => this.#convert(row)) };
  }

  #convert(row: UnknownRow): UnknownRow {
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, this.#value(name, value)]));
  }

  #value(name: string, value: unknown): unknown {
    const kind = this.#kinds.get(name);
    if (kind === undefined || typeof value !== 'bigint') return value;
    if (kind === 'boolean') return value !== 0n;
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
      throw new TollcastError(
        'STORE_DAMAGED',
        `the store holds ${value} as ${name}, which is too large; put your copy of it back`,
      );
    }
    return number;
  }
}
