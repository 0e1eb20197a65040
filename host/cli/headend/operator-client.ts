import { readFile } from 'node:fs/promises';
import { TollcastError } from '../../../apdu/errors.ts';
import { readTlsFingerprint } from '../../headend/api/tls-identity.ts';
import { readConfig } from '../../headend/config/read-config.ts';
import { tokenFile } from '../../headend/roles/operators.ts';
import { requestPinned } from '../../transport/network/pinned-https.ts';
import { readSecret } from '../terminal/environment-secrets.ts';

/** Octets of an answer. */
const MAX_ANSWER = 16_000_000;

/** Asks the API of the head-end that runs by a configuration, signed in as an operator. */
export class OperatorClient {
  readonly #url: string;
  readonly #tlsKey: string;
  readonly #token: string;

  /**
   * @param config of the head-end; its state directory has the key to know it by, and the token unless
   *   `TOLLCAST_OPERATOR_TOKEN` has one.
   * @throws ConfigError, TollcastError `TLS_FILES` when no head-end has run yet, `OPERATOR` when there is no token.
   */
  static async open(config: string): Promise<OperatorClient> {
    const { plan } = await readConfig(config);
    const url = `https://${plan.listen.address === '0.0.0.0' ? '127.0.0.1' : plan.listen.address}:${plan.listen.port}`;
    const fingerprint = await readTlsFingerprint(plan.state, plan.tls);
    const token = readSecret('TOLLCAST_OPERATOR_TOKEN') ?? (await readToken(tokenFile(plan.state)));
    return new OperatorClient(url, fingerprint, token);
  }

  private constructor(url: string, tlsKey: string, token: string) {
    this.#url = url;
    this.#tlsKey = tlsKey;
    this.#token = token;
  }

  /**
   * @param path of the API, `/v1/operator/...`.
   * @returns its answer, undefined when it has none.
   * @throws TollcastError `OPERATOR` with what the head-end says.
   * @throws TransportError `HTTPS` when it does not answer.
   */
  async ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const text = await this.#ask(method, path, body);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Reads what is not JSON, as {@link ask} does. */
  read(path: string): Promise<string> {
    return this.#ask('GET', path);
  }

  async #ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<string> {
    const { status, body: answer } = await requestPinned({
      url: new URL(path, this.#url),
      tlsKey: this.#tlsKey,
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: new TextEncoder().encode(JSON.stringify(body)) }),
      maxAnswer: MAX_ANSWER,
    });
    const text = new TextDecoder().decode(answer);
    if (status >= 200 && status < 300) return text;
    throw new TollcastError('OPERATOR', describeProblem(status, text));
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new TollcastError(
      'OPERATOR',
      `${path} cannot be read; start the head-end once, or put a token into TOLLCAST_OPERATOR_TOKEN`,
      { cause },
    );
  }
}

function describeProblem(status: number, text: string): string {
  try {
    const problem: unknown = JSON.parse(text);
    const detail: unknown =
      typeof problem === 'object' && problem !== null ? Reflect.get(problem, 'detail') : undefined;
    const errors: unknown =
      typeof problem === 'object' && problem !== null ? Reflect.get(problem, 'errors') : undefined;
    const lines = Array.isArray(errors) ? errors.map((one: unknown) => describeField(one)) : [];
    if (typeof detail === 'string') return [detail.replace(/\.$/, ''), ...lines].join('\n');
  } catch {
    // It was not problem details.
  }
  return `the head-end answered with status ${status}; look into its log`;
}

function describeField(fault: unknown): string {
  if (typeof fault !== 'object' || fault === null) return '';
  return `${String(Reflect.get(fault, 'field'))}: ${String(Reflect.get(fault, 'message'))}`;
}
