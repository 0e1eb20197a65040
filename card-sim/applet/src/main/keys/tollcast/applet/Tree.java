package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/** Nodes of the key trees, from this card's leaves to the roots (protocol 4.7). */
final class Tree {
  /** A node has its version where other entries have `from`, and goes on with its number and its key. */
  static final short VERSION = KeyTable.FROM;
  static final short NUMBER = 20;
  static final short KEY = 24;
  static final short LENGTH = 40;

  private static final byte[] ROOT_ID = {0, 0, 0, 1};
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

  /** The row of the root of a service's tree with this version, or NONE. */
  static byte findRoot(KeyTable nodes, byte[] message, short serviceAt, short versionAt) {
    byte root = nodes.find(Kinds.NODE, message, serviceAt, ROOT_ID, (short) 0);
    if (root != KeyTable.NONE && Util.arrayCompare(nodes.entries, (short) (nodes.at(root) + VERSION), message,
        versionAt, (short) 4) != 0) {
      root = KeyTable.NONE;
    }
    return root;
  }

  /** Whether a node u32 is one of the four children, 4v - 2 to 4v + 1, of node v; works in an 8-octet register. */
  static boolean isChild(byte[] message, short childAt, short parentAt, byte[] register, short at) {
    Unsigned.widen(message, childAt, (short) 4, register, at);
    Unsigned.add(register, at, (short) 8, TWO, (short) 0, (short) 1);
    Unsigned.divide(register, at, (short) 8, DEGREE);
    return Util.arrayCompare(register, (short) (at + 4), message, parentAt, (short) 4) == 0;
  }

  /** 4.4 steps 4 and 7: a leaf under a key of this card, or a node under its child. */
  void load(byte[] message, short at, byte parentKind, byte parent) {
    short number = (short) (at + KeyMessage.NUMBER);
    byte row = nodes.find(Kinds.NODE, message, (short) (at + KeyMessage.SERVICE), message,
        (short) (at + KeyMessage.KEY_ID));
    boolean leaf = Kinds.isPersonal(parentKind);
    // Step 4
    if (leaf ? isLeafKnown(message, number, row) : isNodeKnown(message, number, row)) {
      return;
    }
    // Step 7
    if (row == KeyTable.NONE) {
      row = nodes.findFree();
    }
    if (row == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.NO_ROOM);
    }
    Util.arrayFillNonAtomic(work, (short) 0, LENGTH, (byte) 0);
    work[KeyTable.KIND] = Kinds.NODE;
    work[KeyTable.PARENT_KIND] = parentKind;
    Util.arrayCopyNonAtomic(message, (short) (at + KeyMessage.SERVICE), work, KeyTable.SERVICE, (short) 4);
    Util.arrayCopyNonAtomic(message, (short) (at + KeyMessage.KEY_ID), work, KeyTable.KEY_ID, (short) 4);
    Util.arrayCopyNonAtomic(message, number, work, leaf ? NUMBER : VERSION, (short) 4);
    Util.arrayFillNonAtomic(work, KeyTable.TO, (short) 4, (byte) 0xFF);
    parents.unwrap(message, at, parentKind, parent, work, KEY, KeyMessage.KEY_LENGTH);
    if (leaf) {
      window.advance(message, number);
      JCSystem.beginTransaction();
      window.store();
    }
    Util.arrayCopy(work, (short) 0, nodes.entries, nodes.at(row), LENGTH);
    if (leaf) {
      JCSystem.commitTransaction();
    }
    Util.arrayFillNonAtomic(work, KEY, KeyMessage.KEY_LENGTH, (byte) 0);
  }

  /** Whether a leaf is here with this number already; throws 940B for a number that is taken by anything else. */
  private boolean isLeafKnown(byte[] message, short number, byte row) {
    if (window.isOpen(message, number)) {
      return false;
    }
    short entry = nodes.at(row == KeyTable.NONE ? 0 : row);
    if (row == KeyTable.NONE || !Kinds.isPersonal(nodes.entries[(short) (entry + KeyTable.PARENT_KIND)])
        || Util.arrayCompare(nodes.entries, (short) (entry + NUMBER), message, number, (short) 4) != 0) {
      ISOException.throwIt(StatusWords.OLD_NUMBER);
    }
    return true;
  }

  /** Whether a node is here with this version already; throws 940B for a lower version. */
  private boolean isNodeKnown(byte[] message, short version, byte row) {
    if (row == KeyTable.NONE) {
      return false;
    }
    short order = Unsigned.compare(message, version, nodes.entries, (short) (nodes.at(row) + VERSION), (short) 4);
    if (order < 0) {
      ISOException.throwIt(StatusWords.OLD_NUMBER);
    }
    return order == 0;
  }
}
