package tollcast.applet;

import javacard.framework.ISOException;
import javacard.framework.Util;

/** DECODE: a card part in, its span's plaintext out, in the order of protocol 6 and 6.1. */
final class Decoder {
  private static final short BLOCK = 16;
  /** The shortest card part: one block of span and a short tag. */
  private static final short MIN_LENGTH = 56;
  private static final short MAX_PACKETS = 2000;
  private static final short MAX_BLIND_BLOCKS = 15;
  private static final byte VERSION_MASK = (byte) 0xE0;
  private static final short VERSION_SHIFT = 5;
  private static final byte BLOCKS_MASK = 0x1F;
  private static final short PACKETS_MASK = 0x07FF;
  /** Every flag but *detached*, the highest. */
  private static final short RESERVED_FLAGS = 0x7800;

  private final Transients transients;
  private final KeyTable purchases;
  private final KeyTable contents;
  private final KeyStore keys;
  private final Session session;
  private final Debit debit;
  private final Streams streams;
  private final Tally tally;

  Decoder(Persistent persistent, Transients transients, KeyStore keys, Session session, Debit debit, Streams streams,
      Tally tally) {
    this.transients = transients;
    this.keys = keys;
    this.session = session;
    this.debit = debit;
    this.streams = streams;
    this.tally = tally;
    purchases = persistent.purchases;
    contents = transients.contents;
  }

  /**
   * Debits and deciphers the card part of `length` octets at `at`, in its place.
   *
   * @return offset of the plaintext, which ends where {@link #endOfSpan} says
   */
  short decode(byte[] part, short at, short length) {
    // Step 1
    if (length < MIN_LENGTH) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    byte content = findContent(part, (short) (at + CardHeader.CONTENT_KEY_ID), Kinds.CONTENT);
    // Step 2
    byte kind = part[at];
    short spanLength = (short) (length - (short) (CardHeader.SIZE + Mac.SHORT_LENGTH));
    if ((kind != Kinds.SEALED && kind != Kinds.OPEN)
        || !isVersion1OfLength(part[(short) (at + CardHeader.VERSION_AND_BLOCKS)], spanLength)
        || !Mac.isTagRight(transients.contentMac[content], transients.work, part, at,
            (short) (length - Mac.SHORT_LENGTH), Mac.SHORT_LENGTH)) {
      ISOException.throwIt(StatusWords.CRYPTO);
    }
    // Steps 3 and 4
    byte stream = requireDue(part, at, content);
    // Step 5. A group equal to the mark was opened already: its answer was lost, and is given again without a charge.
    short order = streams.compare(part, (short) (at + CardHeader.GROUP), stream);
    if (order < 0 || (order == 0 && !streams.isOpened(stream))) {
      ISOException.throwIt(StatusWords.OLD_GROUP);
    }
    if (order > 0) {
      // Step 6
      if (exceedsGroupCeilings(part, at, content)) {
        ISOException.throwIt(StatusWords.ABOVE_CEILING);
      }
      // Step 7
      debit.debitGroup(part, at, content, stream);
    }
    // Step 8
    short span = (short) (at + CardHeader.SIZE);
    transients.contentCipher[content].doFinal(part, span, spanLength, part, span);
    return kind == Kinds.SEALED ? span : (short) (span + BLOCK);
  }

  /** The offset after the span of a card part of `length` octets at `at`. */
  static short endOfSpan(short at, short length) {
    return (short) (at + (short) (length - Mac.SHORT_LENGTH));
  }

  /** The row of the content key with the id at `idAt`; throws 6A88, or 9408 for one of another kind. */
  private byte findContent(byte[] data, short idAt, byte kind) {
    byte content = keys.findContent(data, idAt);
    if (content == KeyTable.NONE) {
      ISOException.throwIt(StatusWords.UNKNOWN_KEY);
    }
    if (contents.entries[contents.at(content)] != kind) {
      ISOException.throwIt(StatusWords.BLIND_MISMATCH);
    }
    return content;
  }

  /** Requires 1 to 15 blocks behind key id, SSRC and number; throws 6700 (protocol 2). */
  static void requireBlindLength(short length) {
    short blocks = (short) (length - BlindHeader.SIZE);
    if (blocks <= 0 || blocks > (short) (MAX_BLIND_BLOCKS * BLOCK) || (short) (blocks % BLOCK) != 0) {
      ISOException.throwIt(StatusWords.WRONG_LENGTH);
    }
  }

  /** Deciphers blocks of which nothing is authentic, in their place; returns their offset (protocol 6.1). */
  short decodeBlind(byte[] data, short at, short length) {
    byte content = findContent(data, (short) (at + BlindHeader.KEY_ID), Kinds.BLIND);
    short entry = contents.at(content);
    short ssrc = (short) (at + BlindHeader.SSRC);
    requireSessionAndStream(data, ssrc, entry);
    short blocks = (short) (at + BlindHeader.SIZE);
    short octets = (short) (length - BlindHeader.SIZE);
    debit.debitBlind(data, at, octets, entry);
    // The IV of 5.4: SSRC and number, filled up with zeros, deciphered. The Cipher itself starts from an IV of zeros.
    byte[] work = transients.work;
    short iv = Transients.TAG;
    Util.arrayFillNonAtomic(work, iv, BLOCK, (byte) 0);
    Util.arrayCopyNonAtomic(data, ssrc, work, iv, (short) (BlindHeader.SIZE - BlindHeader.SSRC));
    transients.contentCipher[content].doFinal(work, iv, BLOCK, work, iv);
    transients.contentCipher[content].doFinal(data, blocks, octets, data, blocks);
    for (short i = 0; i < BLOCK; i++) {
      data[(short) (blocks + i)] ^= work[(short) (iv + i)];
    }
    return blocks;
  }

  /** Requires an open session for the key's service, and a stream of the key; throws 6985, 940C. */
  private void requireSessionAndStream(byte[] data, short ssrc, short entry) {
    byte[] terms = contents.entries;
    if (!session.isOpenFor(terms, (short) (entry + KeyTable.SERVICE))) {
      ISOException.throwIt(StatusWords.NOT_NOW);
    }
    if (Util.arrayCompare(data, ssrc, terms, (short) (entry + KeyTable.FIRST_SSRC), (short) 4) != 0
        && Util.arrayCompare(data, ssrc, terms, (short) (entry + KeyTable.SECOND_SSRC), (short) 4) != 0) {
      ISOException.throwIt(StatusWords.FOREIGN_STREAM);
    }
  }

  /** Whether octet 1 of a card part gives version 1 and exactly the blocks of the span. */
  private static boolean isVersion1OfLength(byte versionAndBlocks, short spanLength) {
    short blocks = (short) (versionAndBlocks & BLOCKS_MASK);
    return (byte) (versionAndBlocks & VERSION_MASK) == (byte) (Kinds.VERSION << VERSION_SHIFT)
        && spanLength == (short) (blocks * BLOCK);
  }

  /**
   * Steps 3 and 4: requires a group that may be opened now; throws 6A80, 6985, 940C, 9405. What the tally's last group
   * passed with the same values is not looked at again.
   *
   * @param content row of the content key
   * @return place of the stream among the marks, or -1
   */
  private byte requireDue(byte[] part, short at, byte content) {
    short flags = Util.getShort(part, (short) (at + CardHeader.FLAGS_AND_PACKETS));
    short packets = (short) (flags & PACKETS_MASK);
    if ((short) (flags & RESERVED_FLAGS) != 0 || packets < 1 || packets > MAX_PACKETS) {
      ISOException.throwIt(StatusWords.BAD_FIELD);
    }
    boolean inTally = tally.isOf(content);
    short entry = contents.at(content);
    short ssrc = (short) (at + CardHeader.SSRC);
    byte stream = tally.stream();
    if (!inTally || !streams.isOf(stream, part, ssrc)) {
      requireSessionAndStream(part, ssrc, entry);
      stream = streams.find(part, ssrc);
    }
    if (!inTally || !tally.hasSameTime(part, at)) {
      requireValidAt(part, (short) (at + CardHeader.MEDIA_TIME), entry);
    }
    return stream;
  }

  /** Requires a media time within the validity kept of a content key; throws 9405. */
  private void requireValidAt(byte[] part, short time, short entry) {
    byte[] terms = contents.entries;
    if (Unsigned.compare(part, time, terms, (short) (entry + KeyTable.FROM), (short) 4) < 0
        || Unsigned.compare(part, time, terms, (short) (entry + KeyTable.TO), (short) 4) >= 0) {
      ISOException.throwIt(StatusWords.OUTSIDE_VALIDITY);
    }
  }

  /** Whether octets or duration of a group are above the purchase's ceilings. */
  private boolean exceedsGroupCeilings(byte[] part, short at, byte content) {
    if (tally.isOf(content) && tally.hasSameUnits(part, at)) {
      return false;
    }
    byte purchase = contents.entries[(short) (contents.at(content) + KeyTable.PURCHASE)];
    short ceilings = (short) (purchases.at(purchase) + KeyTable.CEILINGS);
    return Unsigned.compare(part, (short) (at + CardHeader.OCTETS), purchases.entries,
        (short) (ceilings + Ceilings.GROUP_OCTETS), (short) 3) > 0
        || Unsigned.compare(part, (short) (at + CardHeader.DURATION), purchases.entries,
            (short) (ceilings + Ceilings.GROUP_DURATION), (short) 3) > 0;
  }
}
