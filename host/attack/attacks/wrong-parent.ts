import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import { concat } from '../../../apdu/octets.ts';
import { AttackError } from '../kit/attack-error.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { CEILINGS, HonestService, load, SEGMENT_KEY, SERVICE_KEY, u32 } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';
import { judged, refused, untried } from '../kit/expect-refusal.ts';

const CONTENT_ID = 900;
const BLIND_ID = 901;
const LEAF = 6;
const SLOT = 3;

const KINDS = [
  ['a unique key', KIND.unique],
  ['a service key', KIND.service],
  ['a segment key', KIND.segment],
  ['a content key', KIND.content],
  ['a blind key', KIND.blind],
  ['slots', KIND.seeds],
  ['a tree node', KIND.node],
  ['half a key pair', 0x16],
  ['a slot', KIND.slot],
] as const;

/** `firmware-notes/protocol.md` 4.1. */
const TABLE: ReadonlyMap<number, readonly number[]> = new Map([
  [KIND.unique, [KIND.service, KIND.segment, KIND.seeds, KIND.node]],
  [KIND.service, [KIND.segment, KIND.content, KIND.blind]],
  [KIND.segment, [KIND.content, KIND.blind]],
  [KIND.content, []],
  [KIND.blind, []],
  [KIND.node, [KIND.node]],
  [KIND.slot, [KIND.content, KIND.blind]],
]);

/** Every pair of parent and child, with a right tag: the attacker owns the parent. */
export const wrongParent: Attack = {
  name: 'wrong-parent',
  title: 'wrap a key under a parent that may not carry it',
  async *run(target) {
    const service = await prepared(target);
    const parents: Array<readonly [name: string, kind: number, id: number]> = [
      ['the unique key', KIND.unique, target.serial],
      ['a service key', KIND.service, SERVICE_KEY],
      ['a segment key', KIND.segment, SEGMENT_KEY],
      ['a content key', KIND.content, CONTENT_ID],
    ];
    if (target.can('blind')) parents.push(['a blind key', KIND.blind, BLIND_ID]);
    if (target.can('tree')) parents.push(['a tree leaf', KIND.node, LEAF]);
    else yield untried('key messages under a tree node', 'the card has no key trees');
    if (target.can('marks')) parents.push(['a slot', KIND.slot, SLOT]);
    else yield untried('key messages under a slot', 'the card sells no slots');
    for (const [name, kind, id] of parents) {
      // There is room for two content keys: each comes when it is wanted.
      const parent = contentParent(service, kind, id);
      if (parent !== undefined) await target.must(name, load(parent));
      yield* under(target, service, name, kind, id);
    }
    if (target.can('tree')) yield* strangerNodes(target, service);
  },
};

/** A service of which the card holds a key of every kind but content; no session is open. */
async function prepared(target: Target): Promise<HonestService> {
  const service = new HonestService(target);
  await target.must('a purchase', load(service.purchase()));
  await target.must('a segment key', load(service.segment()));
  if (target.can('marks')) await target.must('slots', load(service.seedParts(0, 8)[0]!));
  if (target.can('tree')) {
    const unique = { parentKind: KIND.unique, parentId: target.serial, number: target.nextNumber() };
    await target.must('a leaf', load(service.message({ kind: KIND.node, keyId: LEAF, ...unique })));
  }
  return service;
}

/** The message that brings a content or blind key, for those that are to be a parent. */
function contentParent(service: HonestService, kind: number, keyId: number): Uint8Array | undefined {
  if (kind === KIND.content) return service.content({}, { keyId });
  if (kind !== KIND.blind) return undefined;
  const parent = { parentKind: KIND.segment, parentId: SEGMENT_KEY };
  return service.message({ kind, keyId, ...parent }, bodyOf(service, kind, false));
}

/** Every kind of key under one parent: what the table has not in one attempt, what it has in another. */
async function* under(
  target: Target,
  service: HonestService,
  name: string,
  parentKind: number,
  parentId: number,
): AsyncIterable<Attempt> {
  const allowed = (TABLE.get(parentKind) ?? []).filter((kind) => known(target, kind));
  const forbidden = KINDS.filter(([, kind]) => TABLE.get(parentKind)?.includes(kind) !== true);
  const messages = forbidden.map(([, kind]) => load(child(target, service, kind, parentKind, parentId)));
  const words = forbidden.map(([word]) => word).join(', ');
  // 4.4 step 2: kinds that no message has, and lengths that none could have, are like a wrong tag.
  yield await refused(target, `under ${name}: ${words}`, messages, { expected: [0x940d, 0x6988] });
  if (allowed.length === 0) return;
  const answers = new Answers();
  for (const kind of allowed) {
    const message = child(target, service, kind, parentKind, parentId);
    const { status } = await target.send(load(message));
    answers.add(status);
    if (status !== 0x9000) {
      throw new AttackError(
        'CONTROL',
        `the card refused kind ${kind.toString(16)} under ${name} (${formatStatus(status)}), which the page allows: ` +
          'that it refuses the others says nothing; check it against the conformance vectors first',
      );
    }
    if (parentKind === KIND.unique) {
      await target.module.deleteKey(kind, service.number, kind === KIND.node ? 7 : 950);
    }
  }
  yield judged(`under ${name}: what it may carry`, answers, [], ['the table of section 4.1 has these pairs']);
}

function known(target: Target, kind: number): boolean {
  if (kind === KIND.seeds) return target.can('marks');
  if (kind === KIND.node) return target.can('tree');
  if (kind === KIND.blind) return target.can('blind');
  return true;
}

/** A key message of any kind as it would be if the parent might carry it. */
function child(target: Target, service: HonestService, kind: number, parentKind: number, parentId: number): Uint8Array {
  const unique = parentKind === KIND.unique;
  const number = unique ? target.nextNumber() : kind === KIND.node && parentKind === KIND.node ? 5 : 0;
  // Node 2 is above leaf 6.
  const nodeId = parentKind === KIND.node ? 2 : 7;
  const keyId = kind === KIND.node ? nodeId : 950;
  return service.message({ kind, keyId, parentKind, parentId, number }, bodyOf(service, kind, unique));
}

function bodyOf(service: HonestService, kind: number, unique: boolean): Uint8Array {
  const ceilings = encodeCeilings(CEILINGS);
  switch (kind) {
    case KIND.service:
      return ceilings;
    case KIND.segment:
      return unique ? ceilings : new Uint8Array(0);
    case KIND.content:
      return service.terms();
    case KIND.blind:
      return service.terms({ tariff: { kind: 'free', price: 0n } });
    case KIND.seeds:
      return concat(u32(0x1400_0007), ...Array.from({ length: 7 }, () => u32(0xff00_0000)), ceilings);
    default:
      return new Uint8Array(0);
  }
}

/** A tree node may come under its own children alone. */
async function* strangerNodes(target: Target, service: HonestService): AsyncIterable<Attempt> {
  const leaf = { parentKind: KIND.node, parentId: LEAF, number: 9 };
  const nodes = [1, 3, LEAF, 22, 0xffff_ffff].map((keyId) =>
    load(service.message({ kind: KIND.node, keyId, ...leaf })),
  );
  yield await refused(target, 'tree nodes under a node that is no child of theirs', nodes, { expected: [0x940d] });
}
