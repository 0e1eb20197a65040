package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** DECODE: a card part in, its span's plaintext out, in the order of protocol 6. */
final class Decoder {
  static final short OCTETS = 4;
  static final short DURATION = 7;
  static final short TIME = 10;
  static final short SSRC = 24;
  static final short GROUP = 28;

  private static final short SHAPE = 1;
  private static final short PACKETS = 2;
  private static final short KEY_ID = 14;
  private static final short SPAN = 32;
  private static final short BLOCK = 16;
  private static final short SHORTEST = 56;
  private static final short MOST_PACKETS = 1024;
  private static final short PACKETS_MASK = 0x07FF;
  /** Flags but the highest, *detached*. */
  private static final short RESERVED_FLAGS = 0x7800;

  private static final short BLIND_SSRC = 4;
  private static final short BLIND_BLOCKS = 12;

  private final Transients transients;
  private final KeyTable purchases;
  private final KeyTable contents;
  private final KeyStore keys;
  private final Session session;
  private final Streams streams;

  Decoder(Persistent persistent, Transients transients, KeyStore keys, Session session, Streams streams) {
    this.transients = transients;
    this.keys = keys;
    this.session = session;
    this.streams = streams;
    purchases = persistent.purchases;
    contents = transients.contents;
  }

  /**
   * Debits and deciphers the card part of `length` octets at `at`, in its place.
   *
   * @return the offset of the plaintext; it goes on to the tag, which {@link #end} finds
   */
  short decode(byte[] part, short at, short length) {
    // Step 1
    if (length < SHORTEST) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    byte content = find(part, (short) (at + KEY_ID), Kinds.CONTENT);
    // Step 2
    byte kind = part[at];
    short spanLength = (short) (length - (short) (SPAN + Mac.SHORT));
    if ((kind != Kinds.SEALED && kind != Kinds.OPEN) || !shaped(part[(short) (at + SHAPE)], spanLength)
        || !Mac.fits(transients.contentMac[content], transients.work, part, at, (short) (length - Mac.SHORT),
            Mac.SHORT)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    byte stream = check(part, at, content);
    // Step 5: a group equal to the mark that passed is a lost answer given again.
    if (streams.compare(part, (short) (at + GROUP), stream) > 0) {
      // Step 6
      if (above(part, at, content)) {
        ISOException.throwIt(StatusWords.ABOVE_CEILING);
      }
      // Step 7
      session.debit(part, at, content, stream);
    }
    // Step 8
    short span = (short) (at + SPAN);
    transients.contentCipher[content].doFinal(part, span, spanLength, part, span);
    return kind == Kinds.SEALED ? span : (short) (span + BLOCK);
  }

  /** The content key with the id at `idAt`, which must be metered or blind as the command is. */
  private byte find(byte[] data, short idAt, byte kind) {
    byte content = keys.findContent(data, idAt);
    if (content == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    if (contents.entries[contents.at(content)] != kind) {
      ISOException.throwIt(StatusWords.BLIND_MISMATCH);
    }
    return content;
  }

  /** Whether `length` can be that of key id, SSRC, number and 1 to 15 blocks. */
  static boolean blindLength(short length) {
    return length > BLIND_BLOCKS && length < (short) (BLIND_BLOCKS + (short) (16 * BLOCK))
        && (short) ((short) (length - BLIND_BLOCKS) % BLOCK) == 0;
  }

  /** Deciphers blocks of which nothing is authentic, in their place; returns their offset (protocol 6.1). */
  short decodeBlind(byte[] data, short at, short length) {
    byte content = find(data, at, Kinds.BLIND);
    short entry = contents.at(content);
    short ssrc = (short) (at + BLIND_SSRC);
    checkStream(data, ssrc, entry);
    short blocks = (short) (at + BLIND_BLOCKS);
    short octets = (short) (length - BLIND_BLOCKS);
    session.debitBlind(octets, entry);
    byte[] work = transients.work;
    short iv = Transients.TAG;
    Util.arrayCopyNonAtomic(data, ssrc, work, iv, (short) 8);
    Util.arrayFillNonAtomic(work, (short) (iv + 8), (short) 8, (byte) 0);
    transients.contentCipher[content].doFinal(work, iv, BLOCK, work, iv);
    transients.contentCipher[content].doFinal(data, blocks, octets, data, blocks);
    for (short i = 0; i < BLOCK; i++) {
      data[(short) (blocks + i)] ^= work[(short) (iv + i)];
    }
    return blocks;
  }

  /** A session is open for the key's service, and the stream is one of the key's. */
  private void checkStream(byte[] data, short ssrc, short entry) {
    byte[] terms = contents.entries;
    if (!session.isFor(terms, (short) (entry + KeyTable.SERVICE))) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    if (Util.arrayCompare(data, ssrc, terms, (short) (entry + KeyTable.FIRST_SSRC), (short) 4) != 0
        && Util.arrayCompare(data, ssrc, terms, (short) (entry + KeyTable.SECOND_SSRC), (short) 4) != 0) {
      ISOException.throwIt(StatusWords.FOREIGN_STREAM);
    }
  }

  /** The offset after the span of a card part of `length` octets at `at`. */
  static short end(short at, short length) {
    return (short) (at + (short) (length - Mac.SHORT));
  }

  /** Whether octet 1 gives version 1 and just the blocks of the span. */
  private static boolean shaped(byte shape, short spanLength) {
    short blocks = (short) (shape & 0x1F);
    return (byte) (shape & (byte) 0xE0) == (byte) (Kinds.VERSION << 5) && spanLength == (short) (blocks * BLOCK);
  }

  /** Steps 3 to 5; returns the stream's place among the marks, or -1. */
  private byte check(byte[] part, short at, byte content) {
    byte[] terms = contents.entries;
    short entry = contents.at(content);
    short flags = Util.getShort(part, (short) (at + PACKETS));
    short packets = (short) (flags & PACKETS_MASK);
    if ((short) (flags & RESERVED_FLAGS) != 0 || packets < 1 || packets > MOST_PACKETS) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    short ssrc = (short) (at + SSRC);
    checkStream(part, ssrc, entry);
    short time = (short) (at + TIME);
    if (Unsigned.compare(part, time, terms, (short) (entry + KeyTable.FROM), (short) 4) < 0
        || Unsigned.compare(part, time, terms, (short) (entry + KeyTable.TO), (short) 4) >= 0) {
      ISOException.throwIt(StatusWords.OUTSIDE_VALIDITY);
    }
    byte stream = streams.find(part, ssrc);
    short order = streams.compare(part, (short) (at + GROUP), stream);
    if (order < 0 || (order == 0 && !streams.opened(stream))) {
      ISOException.throwIt(StatusWords.OLD_GROUP);
    }
    return stream;
  }

  /** Whether octets or duration are above the purchase's ceilings. */
  private boolean above(byte[] part, short at, byte content) {
    short purchase = purchases.at(contents.entries[(short) (contents.at(content) + KeyTable.PURCHASE)]);
    return Unsigned.compare(part, (short) (at + OCTETS), purchases.entries, (short) (purchase + KeyTable.CEILING_OCTETS),
        (short) 3) > 0
        || Unsigned.compare(part, (short) (at + DURATION), purchases.entries,
            (short) (purchase + KeyTable.CEILING_DURATION), (short) 3) > 0;
  }
}
