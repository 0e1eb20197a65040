package tollcast.applet;

import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.MessageDigest;

/** Two keys of one (protocol 1.1). */
final class KeySplit {
  private static final short SERVICE = 1;
  private static final short ID = 5;
  private static final short INPUT = 25;
  private static final short OUTPUT = 32;

  /** Where the caller puts the 16 octets of K in `work`. */
  static final short KEY = 9;

  private final MessageDigest digest;
  private final byte[] work;

  KeySplit(Transients transients) {
    digest = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
    work = transients.work;
  }

  /** Says what K at {@link #KEY} is a key of; a service of null is 0. */
  void name(byte kind, byte[] service, short serviceAt, byte[] id, short idAt) {
    work[0] = kind;
    if (service == null) {
      Util.arrayFillNonAtomic(work, SERVICE, (short) 4, (byte) 0);
    } else {
      Util.arrayCopyNonAtomic(service, serviceAt, work, SERVICE, (short) 4);
    }
    Util.arrayCopyNonAtomic(id, idAt, work, ID, (short) 4);
  }

  /** SHA-256(kind, service, id, K) = encryption key, MAC key; leaves neither them nor K behind. */
  void split(AESKey wrap, AESKey mac) {
    digest.doFinal(work, (short) 0, INPUT, work, OUTPUT);
    wrap.setKey(work, OUTPUT);
    mac.setKey(work, (short) (OUTPUT + 16));
    Util.arrayFillNonAtomic(work, (short) 0, (short) (OUTPUT + 32), (byte) 0);
  }
}
