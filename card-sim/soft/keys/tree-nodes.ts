import { keyBodyAt } from '../../../apdu/decode-module/keys/key-message.ts';
import { isPersonal, KIND } from '../../../apdu/decode-module/kinds.ts';
import { STATUS } from '../../../apdu/decode-module/module-status.ts';
import { KEY_MESSAGE_HEADER as KEY } from '../../../apdu/layout/keys.ts';
import type { PersistentState } from '../memory/persistent-state.ts';
import { refuse } from '../refusal.ts';
import type { TreeNode } from './keys.ts';
import type { Parent } from './parents.ts';

/**
 * Loads a tree node: a leaf under the card's own key or pair, or a node under its child (protocol 4.4 steps 4 and 7).
 * @throws Refusal
 */
export function loadNode(persistent: PersistentState, message: Uint8Array, parent: Parent): void {
  const { keyMemory } = persistent;
  const service = KEY.readUint(message, 'service');
  const id = KEY.readUint(message, 'keyId');
  const number = KEY.readUint(message, 'number');
  const isLeaf = parent.key === undefined;
  let place = keyMemory.nodes.findIndex((node) => node?.service === service && node.id === id);
  const held = keyMemory.nodes[place];
  if (isLeaf) {
    if (keyMemory.window.refuses(number)) {
      const isRepeated = held !== undefined && isPersonal(held.parentKind) && held.number === number;
      if (isRepeated) return;
      refuse(STATUS.OLD_NUMBER);
    }
  } else if (held !== undefined && held.from >= number) {
    if (held.from === number) return;
    refuse(STATUS.OLD_NUMBER);
  }
  if (place < 0) place = keyMemory.nodes.indexOf(undefined);
  if (place < 0) refuse(STATUS.NO_ROOM);
  const node: TreeNode = {
    kind: KIND.node,
    parentKind: KEY.readUint(message, 'parentKind'),
    service,
    id,
    from: isLeaf ? 0 : number,
    to: 0xffff_ffff,
    number: isLeaf ? number : 0,
    key: parent.ciphers.encryption.decrypt(message.subarray(KEY.length, keyBodyAt(KIND.node))),
  };
  keyMemory.writeNode(place, node, isLeaf);
}
