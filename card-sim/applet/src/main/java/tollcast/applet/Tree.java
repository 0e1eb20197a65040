package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** Nodes of the key trees, as far as they lead from this card's leaf to a root (protocol 4.7). */
final class Tree {
  /** A node is listed with its version for `from`; its number and key follow. */
  static final short VERSION = KeyTable.FROM;
  static final short NUMBER = 20;
  static final short KEY = 24;
  static final short LENGTH = 40;

  private static final byte[] ROOT = {0, 0, 0, 1};
  private static final byte[] TWO = {2};
  private static final short DEGREE = 4;

  private final KeyTable nodes;
  private final Parents parents;
  private final NumberWindow window;
  private final byte[] work;

  Tree(Persistent persistent, Transients transients, Parents parents, NumberWindow window) {
    this.parents = parents;
    this.window = window;
    nodes = persistent.nodes;
    work = transients.work;
  }

  /** The slot of the root of a service's tree with this version, or NONE. */
  static byte root(KeyTable nodes, byte[] m, short serviceAt, short versionAt) {
    byte root = nodes.find(Kinds.NODE, m, serviceAt, ROOT, (short) 0);
    if (root != KeyTable.NONE
        && Util.arrayCompare(nodes.entries, (short) (nodes.at(root) + VERSION), m, versionAt, (short) 4) != 0) {
      root = KeyTable.NONE;
    }
    return root;
  }

  /** Whether a node u32 is one of the four children, 4v - 2 to 4v + 1, of another; works in an 8-octet register. */
  static boolean isChild(byte[] m, short childAt, short parentAt, byte[] register, short at) {
    Unsigned.widen(m, childAt, (short) 4, register, at);
    Unsigned.add(register, at, (short) 8, TWO, (short) 0, (short) 1);
    Unsigned.divide(register, at, (short) 8, DEGREE);
    return Util.arrayCompare(register, (short) (at + 4), m, parentAt, (short) 4) == 0;
  }

  /** 4.4 steps 4 and 7 for a node: a leaf under the unique key, or a node under its child. */
  void load(byte[] m, short at, byte parentKind, byte parent) {
    short number = (short) (at + KeyMessages.NUMBER);
    byte slot = nodes.find(Kinds.NODE, m, (short) (at + KeyMessages.SERVICE), m, (short) (at + KeyMessages.ID));
    short entry = nodes.at(slot == KeyTable.NONE ? 0 : slot);
    boolean leaf = Kinds.isPersonal(parentKind);
    if (leaf) {
      if (!window.open(m, number)) {
        if (slot == KeyTable.NONE || !Kinds.isPersonal(nodes.entries[(short) (entry + KeyTable.PARENT_KIND)])
            || Util.arrayCompare(nodes.entries, (short) (entry + NUMBER), m, number, (short) 4) != 0) {
          ISOException.throwIt(StatusWords.OLD_NUMBER);
        }
        return;
      }
    } else if (slot != KeyTable.NONE) {
      short order = Unsigned.compare(m, number, nodes.entries, (short) (entry + VERSION), (short) 4);
      if (order < 0) {
        ISOException.throwIt(StatusWords.OLD_NUMBER);
      }
      if (order == 0) {
        return;
      }
    }
    if (slot == KeyTable.NONE) {
      slot = nodes.free();
      if (slot == KeyTable.NONE) {
        ISOException.throwIt(StatusWords.NO_ROOM);
      }
      entry = nodes.at(slot);
    }
    Util.arrayFillNonAtomic(work, (short) 0, LENGTH, (byte) 0);
    work[KeyTable.KIND] = Kinds.NODE;
    work[KeyTable.PARENT_KIND] = parentKind;
    Util.arrayCopyNonAtomic(m, (short) (at + KeyMessages.SERVICE), work, KeyTable.SERVICE, (short) 8);
    Util.arrayCopyNonAtomic(m, number, work, leaf ? NUMBER : VERSION, (short) 4);
    Util.arrayFillNonAtomic(work, KeyTable.TO, (short) 4, (byte) 0xFF);
    parents.unwrap(m, at, parentKind, parent, work, KEY, (short) 16);
    if (leaf) {
      window.advance(m, number);
      JCSystem.beginTransaction();
      window.store();
    }
    Util.arrayCopy(work, (short) 0, nodes.entries, entry, LENGTH);
    if (leaf) {
      JCSystem.commitTransaction();
    }
    Util.arrayFillNonAtomic(work, KEY, (short) 16, (byte) 0);
  }
}
