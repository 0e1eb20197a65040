package tollcast.applet;

/** The kinds of messages and keys (protocol 1.3); a kind is the first octet under every MAC. */
final class Kinds {
  static final byte UNIQUE = 0x01;
  /** The card's own key pair, only as a parent. */
  static final byte CARD_PAIR = 0x02;
  static final byte SERVICE = 0x10;
  static final byte SEGMENT = 0x11;
  static final byte CONTENT = 0x12;
  static final byte BLIND = 0x13;
  static final byte SEEDS = 0x14;
  static final byte NODE = 0x15;
  static final byte SERVICE_PAIR = 0x16;
  /** A slot of time, only as a parent. */
  static final byte SLOT = 0x17;
  static final byte SEALED = 0x20;
  static final byte OPEN = 0x21;
  static final byte LOAD_REQUEST = 0x30;
  static final byte LOAD_ORDER = 0x31;
  static final byte LOAD_PROOF = 0x32;
  static final byte CREDIT_LIMIT = 0x33;
  static final byte CREDIT_LIMIT_PROOF = 0x34;
  static final byte RECEIPT = 0x40;
  static final byte ACKNOWLEDGEMENT = 0x41;
  static final byte CONFIRM = 0x42;
  static final byte JOIN = 0x43;
  static final byte EXTEND = 0x44;
  static final byte LEAVE = 0x45;
  static final byte LEAVE_RECORD = 0x46;
  static final byte KEY_REQUEST = 0x47;
  static final byte STAY = 0x48;
  /** The host unpacks these two; the card never sees them. */
  static final byte DETACHED_PART = 0x50;
  static final byte COMBINED_SECTION = 0x60;

  /** The version of every message. */
  static final byte VERSION = 1;

  /** Whether SIGN REQUEST makes messages of this kind. */
  static boolean isRequest(byte kind) {
    return kind >= JOIN && kind <= STAY && kind != LEAVE_RECORD;
  }

  /** Whether a kind is that of a content key, metered or blind. */
  static boolean isContent(byte kind) {
    return kind == CONTENT || kind == BLIND;
  }

  /** Whether a parent is this card's alone: its messages are numbered, and confirmed. */
  static boolean isPersonal(byte parentKind) {
    return parentKind == UNIQUE || parentKind == CARD_PAIR;
  }

  /** Whether a parent is a key pair: its messages have an ephemeral point. */
  static boolean isPair(byte parentKind) {
    return parentKind == CARD_PAIR || parentKind == SERVICE_PAIR;
  }

  private Kinds() {
  }
}
