package tollcast.runner;

import static tollcast.runner.AppletMessages.bytes;
import static tollcast.runner.AppletMessages.cbc;
import static tollcast.runner.Instructions.*;
import static tollcast.runner.StatusWords.*;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import tollcast.runner.card.Card;

/** The host's end of SCP03 at level 03, under a key set of one key three times. */
final class AppletChannel {
  private static final byte[] HOST_CHALLENGE = {1, 2, 3, 4, 5, 6, 7, 8};

  private final Card card;
  private byte[] enc;
  private byte[] mac;
  private byte[] chaining = new byte[16];
  private int counter;

  AppletChannel(Card card, byte[] key) throws Exception {
    this.card = card;
    byte[] answer = card.transmit(Rig.command((byte) INS_INITIALIZE_UPDATE, 0, HOST_CHALLENGE));
    byte[] context = bytes(16).put(HOST_CHALLENGE).put(answer, 13, 8).array();
    enc = derive(key, 4, 128, context);
    mac = derive(key, 6, 128, context);
    byte[] cryptogram = Arrays.copyOf(derive(mac, 1, 64, context), 8);
    byte[] opened = card.transmit(withMac(INS_EXTERNAL_AUTHENTICATE, 3, 0, cryptogram));
    if (AppletRig.sw(opened) != DONE) {
      throw new IllegalStateException("EXTERNAL AUTHENTICATE answers %04X".formatted(AppletRig.sw(opened)));
    }
  }

  /** Sends a command and returns its answer. */
  byte[] send(int ins, int p1, int p2, byte[] data) throws Exception {
    counter++;
    byte[] sent = data;
    if (data.length != 0) {
      byte[] padded = Arrays.copyOf(data, (data.length + 16) / 16 * 16);
      padded[data.length] = (byte) 0x80;
      byte[] vector = cbc(Cipher.ENCRYPT_MODE, enc, bytes(16).putInt(12, counter).array());
      Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
      cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(enc, "AES"), new IvParameterSpec(vector));
      sent = cipher.doFinal(padded);
    }
    return card.transmit(withMac(ins, p1, p2, sent));
  }

  private byte[] withMac(int ins, int p1, int p2, byte[] data) throws GeneralSecurityException {
    ByteBuffer command = bytes(5 + data.length + 8);
    command.put((byte) 0x84).put((byte) ins).put((byte) p1).put((byte) p2).put((byte) (data.length + 8)).put(data);
    byte[] covered = Arrays.copyOf(command.array(), 5 + data.length);
    chaining = cmac(mac, bytes(16 + covered.length).put(chaining).put(covered).array());
    return command.put(chaining, 0, 8).array();
  }

  private static byte[] derive(byte[] key, int constant, int bits, byte[] context) throws GeneralSecurityException {
    return cmac(key, bytes(16 + context.length).put(11, (byte) constant).put(14, (byte) bits).put(15, (byte) 1)
        .position(16).put(context).array());
  }

  /** RFC 4493. */
  private static byte[] cmac(byte[] key, byte[] message) throws GeneralSecurityException {
    byte[] subkey = doubled(cbc(Cipher.ENCRYPT_MODE, key, new byte[16]));
    int whole = (message.length - 1) / 16 * 16;
    byte[] all = Arrays.copyOf(message, whole + 16);
    if (message.length != all.length) {
      all[message.length] = (byte) 0x80;
      subkey = doubled(subkey);
    }
    for (int i = 0; i < 16; i++) {
      all[whole + i] ^= subkey[i];
    }
    byte[] chain = cbc(Cipher.ENCRYPT_MODE, key, all);
    return Arrays.copyOfRange(chain, whole, whole + 16);
  }

  private static byte[] doubled(byte[] block) {
    byte[] doubled = new byte[16];
    for (int i = 0; i < 16; i++) {
      doubled[i] = (byte) (block[i] << 1 | (i == 15 ? 0 : (block[i + 1] & 0xFF) >> 7));
    }
    doubled[15] ^= (byte) (block[0] < 0 ? 0x87 : 0);
    return doubled;
  }
}
