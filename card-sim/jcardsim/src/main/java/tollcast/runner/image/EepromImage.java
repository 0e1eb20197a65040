package tollcast.runner.image;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import javacard.framework.AID;
import javacard.framework.Applet;
import tollcast.runner.runtime.AppletLayout;
import tollcast.runner.runtime.AppletLoader;
import tollcast.runner.runtime.CardRuntime;

/**
 * The EEPROM of a card as octets: magic "TCEE", version, fingerprint of the applet's field layout, name of its class,
 * AID, the statics of its classes, the applet object with all it reaches, CRC-32. RAM is not in it: transient arrays
 * come back as zeros, transient keys and what was initialised with them uninitialised.
 */
final class EepromImage {
  private static final int MAGIC = 0x54434545;
  private static final int VERSION = 1;
  private static final int CRC = 4;

  /** The message completes "card file X ...". */
  static final class Refused extends IOException {
    Refused(String message) {
      super(message);
    }
  }

  private EepromImage() {}

  /** Whether octets begin as an image does, of whatever version. */
  static boolean isImage(byte[] octets) {
    return octets.length >= CRC && ByteBuffer.wrap(octets).getInt() == MAGIC;
  }

  static byte[] of(CardRuntime card) {
    try {
      AppletLoader loader = (AppletLoader) card.applet().getClass().getClassLoader();
      List<Class<?>> classes = loader.appletClasses();
      ByteArrayOutputStream image = new ByteArrayOutputStream(16_384);
      DataOutputStream out = new DataOutputStream(image);
      out.writeInt(MAGIC);
      out.writeShort(VERSION);
      out.write(AppletLayout.fingerprint(classes));
      out.writeUTF(card.applet().getClass().getName());
      byte[] aid = new byte[16];
      byte length = card.aid().getBytes(aid, (short) 0);
      out.writeByte(length);
      out.write(aid, 0, length);
      GraphWriter graph = new GraphWriter(out, card, loader);
      for (Class<?> type : classes) {
        for (Field field : AppletLayout.statics(type)) {
          graph.field(null, field);
        }
      }
      graph.reference(card.applet());
      CRC32 crc = new CRC32();
      crc.update(image.toByteArray());
      out.writeInt((int) crc.getValue());
      return image.toByteArray();
    } catch (IOException | ReflectiveOperationException e) {
      throw new IllegalStateException("the card's EEPROM cannot be saved: " + e.getMessage(), e);
    }
  }

  static void restore(byte[] image, CardRuntime card, AppletLoader loader) throws Refused {
    CRC32 crc = new CRC32();
    crc.update(image, 0, Math.max(0, image.length - CRC));
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(image));
    try {
      in.readInt();
      int version = in.readUnsignedShort();
      if (version != VERSION) {
        throw new Refused("has format " + version + ", this runner reads " + VERSION
            + ": use the runner that wrote it");
      }
      DataInputStream end = new DataInputStream(new ByteArrayInputStream(image, image.length - CRC, CRC));
      if (end.readInt() != (int) crc.getValue()) {
        throw new Refused("is damaged: restore a copy, or delete it to get a new card");
      }
      List<Class<?>> classes = loader.appletClasses();
      byte[] fingerprint = in.readNBytes(AppletLayout.FINGERPRINT);
      String appletClass = in.readUTF();
      if (!Arrays.equals(fingerprint, AppletLayout.fingerprint(classes))) {
        throw new Refused("was written by another build of the applet (" + appletClass + "), whose fields are laid out "
            + "differently: run that build, or delete the file to get a new card");
      }
      byte[] aid = in.readNBytes(in.readUnsignedByte());
      GraphReader graph = new GraphReader(in, card, loader);
      card.eeprom.useLoader(loader);
      // Engines that were initialised are so again, for which they take RAM of their card.
      card.makeCurrent();
      for (Class<?> type : classes) {
        for (Field field : AppletLayout.statics(type)) {
          graph.field(null, field);
        }
      }
      card.adopt((Applet) graph.reference(null), new AID(aid, (short) 0, (byte) aid.length));
    } catch (Refused e) {
      throw e;
    } catch (IOException | ReflectiveOperationException | RuntimeException e) {
      throw new Refused("cannot be read back (" + e + "): restore a copy, or delete it to get a new card");
    }
  }
}
