import { encodeCeilings } from '../../../apdu/decode-module/keys/ceilings.ts';
import { KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { formatStatus } from '../../../apdu/iso7816/status-word.ts';
import { concat } from '../../../apdu/octets.ts';
import { AttackError } from '../kit/attack-error.ts';
import { Answers, type Attack, type Attempt } from '../kit/attempt.ts';
import { judge, expectRefusal, reportNotTried } from '../kit/expect-refusal.ts';
import { CEILINGS, HonestService, loadKey, SEGMENT_KEY_ID, SERVICE_KEY_ID, encodeU32 } from '../kit/honest-service.ts';
import type { Target } from '../kit/target.ts';

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

/** Kinds that a parent may carry; `firmware-notes/protocol.md` 4.1. */
const TABLE: ReadonlyMap<number, readonly number[]> = new Map([
  [KIND.unique, [KIND.service, KIND.segment, KIND.seeds, KIND.node]],
  [KIND.service, [KIND.segment, KIND.content, KIND.blind]],
  [KIND.segment, [KIND.content, KIND.blind]],
  [KIND.content, []],
  [KIND.blind, []],
  [KIND.node, [KIND.node]],
  [KIND.slot, [KIND.content, KIND.blind]],
]);

/** The host owns every parent key, and tries every pair of parent and child with a right tag. */
export const wrongParent: Attack = {
  name: 'wrong-parent',
  title: 'wrap a key under a parent that may not carry it',
  async *run(target) {
    const service = await prepareService(target);
    const parents: Array<readonly [name: string, kind: number, id: number]> = [
      ['the unique key', KIND.unique, target.serial],
      ['a service key', KIND.service, SERVICE_KEY_ID],
      ['a segment key', KIND.segment, SEGMENT_KEY_ID],
      ['a content key', KIND.content, CONTENT_ID],
    ];
    if (target.can('blind')) parents.push(['a blind key', KIND.blind, BLIND_ID]);
    if (target.can('tree')) parents.push(['a tree leaf', KIND.node, LEAF]);
    else yield reportNotTried('key messages under a tree node', 'the card has no key trees');
    if (target.can('marks')) parents.push(['a slot', KIND.slot, SLOT]);
    else yield reportNotTried('key messages under a slot', 'the card sells no slots');
    for (const [name, kind, id] of parents) {
      // The card has places for two content keys, so each is loaded when it is needed.
      const parent = findContentParent(service, kind, id);
      if (parent !== undefined) await target.mustSucceed(name, loadKey(parent));
      yield* tryUnder(target, service, name, kind, id);
    }
    if (target.can('tree')) yield* tryStrangerNodes(target, service);
  },
};

/** Gives the card a key of every kind but content; opens no session. */
async function prepareService(target: Target): Promise<HonestService> {
  const service = new HonestService(target);
  await target.mustSucceed('a purchase', loadKey(service.sealPurchase()));
  await target.mustSucceed('a segment key', loadKey(service.sealSegment()));
  if (target.can('marks')) await target.mustSucceed('slots', loadKey(service.sealSeedParts(0, 8)[0]!));
  if (target.can('tree')) {
    const unique = { parentKind: KIND.unique, parentId: target.serial, number: target.nextNumber() };
    await target.mustSucceed('a leaf', loadKey(service.sealMessage({ kind: KIND.node, keyId: LEAF, ...unique })));
  }
  return service;
}

/** Returns the message that brings a content or blind key which is to be a parent. */
function findContentParent(service: HonestService, kind: number, keyId: number): Uint8Array | undefined {
  if (kind === KIND.content) return service.sealContent({}, { keyId });
  if (kind !== KIND.blind) return undefined;
  const parent = { parentKind: KIND.segment, parentId: SEGMENT_KEY_ID };
  return service.sealMessage({ kind, keyId, ...parent }, encodeBody(service, kind, false));
}

/** Tries every kind of key under one parent: forbidden pairs in one attempt, allowed pairs in another. */
async function* tryUnder(
  target: Target,
  service: HonestService,
  name: string,
  parentKind: number,
  parentId: number,
): AsyncIterable<Attempt> {
  const allowed = (TABLE.get(parentKind) ?? []).filter((kind) => isKnownKind(target, kind));
  const forbidden = KINDS.filter(([, kind]) => TABLE.get(parentKind)?.includes(kind) !== true);
  const messages = forbidden.map(([, kind]) => loadKey(sealChild(target, service, kind, parentKind, parentId)));
  const words = forbidden.map(([word]) => word).join(', ');
  // Protocol 4.4 step 2: an unknown kind or an impossible length answers like a wrong tag.
  yield await expectRefusal(target, `under ${name}: ${words}`, messages, {
    expected: [STATUS.WRONG_PARENT, STATUS.CRYPTO],
  });
  if (allowed.length === 0) return;
  const answers = new Answers();
  for (const kind of allowed) {
    const message = sealChild(target, service, kind, parentKind, parentId);
    const { status } = await target.send(loadKey(message));
    answers.add(status);
    if (status !== STATUS.DONE) {
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
  yield judge(`under ${name}: what it may carry`, answers, [], {
    notes: ['the table of section 4.1 has these pairs'],
  });
}

function isKnownKind(target: Target, kind: number): boolean {
  if (kind === KIND.seeds) return target.can('marks');
  if (kind === KIND.node) return target.can('tree');
  if (kind === KIND.blind) return target.can('blind');
  return true;
}

/** Seals a key message as if the parent were allowed to carry it. */
function sealChild(
  target: Target,
  service: HonestService,
  kind: number,
  parentKind: number,
  parentId: number,
): Uint8Array {
  const unique = parentKind === KIND.unique;
  const number = unique ? target.nextNumber() : kind === KIND.node && parentKind === KIND.node ? 5 : 0;
  // Node 2 is the parent of leaf 6.
  const nodeId = parentKind === KIND.node ? 2 : 7;
  const keyId = kind === KIND.node ? nodeId : 950;
  return service.sealMessage({ kind, keyId, parentKind, parentId, number }, encodeBody(service, kind, unique));
}

function encodeBody(service: HonestService, kind: number, unique: boolean): Uint8Array {
  const ceilings = encodeCeilings(CEILINGS);
  switch (kind) {
    case KIND.service:
      return ceilings;
    case KIND.segment:
      return unique ? ceilings : new Uint8Array(0);
    case KIND.content:
      return service.encodeTerms();
    case KIND.blind:
      return service.encodeTerms({ tariff: { kind: 'free', price: 0n } });
    case KIND.seeds:
      return concat(encodeU32(0x1400_0007), ...Array.from({ length: 7 }, () => encodeU32(0xff00_0000)), ceilings);
    default:
      return new Uint8Array(0);
  }
}

/** Wraps tree nodes under nodes that are not their children. */
async function* tryStrangerNodes(target: Target, service: HonestService): AsyncIterable<Attempt> {
  const leaf = { parentKind: KIND.node, parentId: LEAF, number: 9 };
  const nodes = [1, 3, LEAF, 22, 0xffff_ffff].map((keyId) =>
    loadKey(service.sealMessage({ kind: KIND.node, keyId, ...leaf })),
  );
  yield await expectRefusal(target, 'tree nodes under a node that is not a child of theirs', nodes, {
    expected: [STATUS.WRONG_PARENT],
  });
}
