import type { Static, TSchema } from 'typebox';
import { Errors } from 'typebox/value';
import type { ConfigFault, FieldPath } from './config-fault.ts';

/** Faults told of one reading. */
const MAX_FAULTS = 20;

type Finding = ReturnType<typeof Errors>[number];

/** Whether a value has the form that a schema asks for. */
export function hasForm<T extends TSchema>(schema: T, value: unknown): value is Static<T> {
  return findFaults(schema, value).length === 0;
}

/** Compares a value with a schema. @returns what differs, at most 20 faults, each with its place. */
export function findFaults(schema: TSchema, value: unknown): ConfigFault[] {
  const faults = Errors(schema, value).flatMap((finding) => readFinding(finding));
  const seen = new Map(faults.map((fault) => [JSON.stringify(fault), fault]));
  return [...seen.values()].slice(0, MAX_FAULTS);
}

function readFinding(finding: Finding): ConfigFault[] {
  const path = readPointer(finding.instancePath);
  switch (finding.keyword) {
    case 'additionalProperties':
      return finding.params.additionalProperties.map((name) => ({
        path: [...path, name],
        message: 'there is no such field; correct its name, or take it out',
      }));
    case 'required':
      return finding.params.requiredProperties.map((name) => ({
        path,
        message: `the field ${name} is missing; add it`,
      }));
    case 'enum':
      return [{ path, message: `write one of ${finding.params.allowedValues.map(String).join(', ')}` }];
    case 'boolean':
      // A field that is not allowed was told by its name.
      return [];
    case 'pattern':
      return [{ path, message: 'write lower-case letters, digits and -, 40 at most' }];
    default:
      return [{ path, message: `it ${finding.message}; correct it` }];
  }
}

/** Reads a JSON pointer, RFC 6901. */
function readPointer(pointer: string): FieldPath {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
}
