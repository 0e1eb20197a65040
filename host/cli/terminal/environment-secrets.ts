/** Variables that a secret may stand in instead of being typed. It is never an argument: other users can read those. */
const VARIABLES = [
  'TOLLCAST_PASSPHRASE',
  'TOLLCAST_NEW_PASSPHRASE',
  'TOLLCAST_PIN',
  'TOLLCAST_NEW_PIN',
  'TOLLCAST_OPERATOR_TOKEN',
] as const;

export type SecretVariable = (typeof VARIABLES)[number];

const taken = new Map<SecretVariable, string>();

/** Takes the secrets out of the environment, so that no program that this one starts gets them. */
export function takeSecrets(): void {
  for (const variable of VARIABLES) {
    const value = process.env[variable];
    if (value !== undefined) taken.set(variable, value);
    delete process.env[variable];
  }
}

/** What stood in a variable, nothing when it was not set. {@link takeSecrets} comes first. */
export function readSecret(variable: SecretVariable): string | undefined {
  return taken.get(variable);
}
