package tollcast.runner;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** Messages for the decode module, built by firmware-notes/protocol.md with the ciphers of the JDK. */
final class AppletMessages {
  static final int SERIAL = 0x01020304;
  static final byte[] CARD_ID = bytes(8).put(new byte[] {0, 0, 7, 1}).putInt(SERIAL).array();
  static final short CURRENCY = 840;
  static final int SERVICE = 77;
  static final int SSRC = 0x10;

  /** A key K with its name: kind, service and id (protocol 1.1). */
  record Key(byte kind, int service, int id, byte[] k) {
    byte[] workingKeys(int from) throws GeneralSecurityException {
      byte[] named = bytes(25).put(kind).putInt(service).putInt(id).put(k).array();
      return Arrays.copyOfRange(MessageDigest.getInstance("SHA-256").digest(named), from, from + 16);
    }

    byte[] encryption() throws GeneralSecurityException {
      return workingKeys(0);
    }

    byte[] mac() throws GeneralSecurityException {
      return workingKeys(16);
    }

    int tag() {
      return kind == 1 ? 16 : 8;
    }
  }

  static final Key UNIQUE = new Key((byte) 1, 0, SERIAL, cardKey(0));

  private AppletMessages() {}

  static ByteBuffer bytes(int length) {
    return ByteBuffer.allocate(length);
  }

  /** Keys of DGI 8001 by their number. */
  static byte[] cardKey(int number) {
    byte[] key = new byte[16];
    Arrays.fill(key, (byte) (0x50 + number));
    return key;
  }

  static byte[] cbc(int mode, byte[] key, byte[] data) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
    cipher.init(mode, new SecretKeySpec(key, "AES"), new IvParameterSpec(new byte[16]));
    return cipher.doFinal(data);
  }

  static byte[] tag(byte[] key, byte[] message, int length) throws GeneralSecurityException {
    byte[] all = cbc(Cipher.ENCRYPT_MODE, key, message);
    return Arrays.copyOfRange(all, all.length - 16, all.length - 16 + length);
  }

  private static byte[] tagged(byte[] key, ByteBuffer message, int tagLength) throws GeneralSecurityException {
    byte[] octets = message.array();
    return bytes(octets.length + tagLength).put(octets).put(tag(key, octets, tagLength)).array();
  }

  static byte[] storeProfile(long maximum, long maximumUnacknowledged) {
    ByteBuffer b = bytes(27).putShort((short) 1).put((byte) 24).put(CARD_ID).putShort(CURRENCY);
    return u48(u48(b, maximum), maximumUnacknowledged).array();
  }

  static byte[] storeKeys() {
    ByteBuffer b = bytes(99).putShort((short) 0x8001).put((byte) 96);
    for (int i = 0; i < 6; i++) {
      b.put(cardKey(i));
    }
    return b.array();
  }

  static ByteBuffer u48(ByteBuffer b, long value) {
    return b.putShort((short) (value >> 32)).putInt((int) value);
  }

  static byte[] keyMessage(Key key, Key parent, int from, int to, int number, byte[] body)
      throws GeneralSecurityException {
    ByteBuffer b = bytes(48 + body.length);
    b.put(key.kind).put((byte) 1).putShort((short) (48 + body.length + parent.tag()));
    b.putInt(key.service).putInt(key.id);
    b.putInt(from).putInt(to).putInt(number).put(parent.kind).put(new byte[3]).putInt(parent.id);
    b.put(cbc(Cipher.ENCRYPT_MODE, parent.encryption(), key.k)).put(body);
    return tagged(parent.mac(), b, parent.tag());
  }

  /** Ceilings: 1,000,000 a price, 1,000,000 octets and 10,000 ms a group. */
  static byte[] ceilings(long quantum) {
    ByteBuffer b = bytes(32).putInt(1_000_000).putInt(1_000_000).putInt(1_000_000);
    b.put((byte) 0x0F).putShort((short) 0x4240).put((byte) 0).putShort((short) 10_000);
    return u48(b, quantum).array();
  }

  static byte[] terms(int tariff, int price, int segment) {
    return bytes(48).put((byte) tariff).put((byte) 0).put((byte) 1).put((byte) 1).putInt(price).putInt(segment)
        .putInt(0).putInt(SSRC).putInt(SSRC + 2).array();
  }

  /** A card part of 4 blocks, whose plaintext is octets 0, 1, 2 ... */
  static byte[] part(Key content, boolean open, int octets, int duration, int time, int ssrc, int group)
      throws GeneralSecurityException {
    ByteBuffer b = bytes(96).put((byte) (open ? 0x21 : 0x20)).put((byte) 0x24).putShort((short) 10);
    b.putInt(octets << 8 | duration >> 16).putShort((short) duration).putInt(time).putInt(content.id).position(24);
    b.putInt(ssrc).putInt(group);
    b.put(cbc(Cipher.ENCRYPT_MODE, content.encryption(), plaintext()));
    return tagged(content.mac(), b, 8);
  }

  static byte[] plaintext() {
    byte[] plain = new byte[64];
    for (int i = 0; i < plain.length; i++) {
      plain[i] = (byte) i;
    }
    return plain;
  }

  static byte[] loadOrder(int number, long amount) throws GeneralSecurityException {
    ByteBuffer b = bytes(48).put((byte) 0x31).put((byte) 1).putShort((short) 64).put(CARD_ID).putInt(number);
    u48(b.putShort(CURRENCY).putShort((short) 0), amount).putLong(number);
    return tagged(cardKey(4), b, 16);
  }

  static byte[] acknowledgement(int upTo) throws GeneralSecurityException {
    ByteBuffer b = bytes(16).put((byte) 0x41).put((byte) 1).putShort((short) 32).put(CARD_ID).putInt(upTo);
    return tagged(cardKey(3), b, 16);
  }
}
