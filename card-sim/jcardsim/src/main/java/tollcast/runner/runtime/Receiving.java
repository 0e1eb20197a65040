package tollcast.runner.runtime;

import com.licel.jcardsim.base.ApduCase;
import java.util.Arrays;
import javacard.framework.ISO7816;

/** Gives the applet a command longer than the APDU buffer in pieces, which jCardSim does not. */
final class Receiving {
  private final int bufferLength;
  /** The data that did not fit the buffer, as far as the applet has not received it. */
  private byte[] rest = new byte[0];
  private int length;
  private boolean cut;

  Receiving(int bufferLength) {
    this.bufferLength = bufferLength;
  }

  /** @return the command, or as much of it as fits the buffer, as a command of case 3 */
  byte[] start(byte[] command) {
    rest = new byte[0];
    cut = command.length > bufferLength && !ApduCase.getCase(command).isExtended();
    if (!cut) {
      return command;
    }
    length = command[ISO7816.OFFSET_LC] & 0xFF;
    int fits = Math.min(length, bufferLength - ISO7816.OFFSET_CDATA);
    byte[] first = Arrays.copyOf(command, ISO7816.OFFSET_CDATA + fits);
    first[ISO7816.OFFSET_LC] = (byte) fits;
    rest = Arrays.copyOfRange(command, first.length, ISO7816.OFFSET_CDATA + length);
    return first;
  }

  /** Puts Lc into the buffer as it was sent. */
  void restoreLc(byte[] buffer) {
    if (cut) {
      buffer[ISO7816.OFFSET_LC] = (byte) length;
    }
  }

  /** The length of the whole data, where jCardSim knows that of the first piece. */
  short lengthOf(short known) {
    return cut ? (short) length : known;
  }

  boolean hasRest() {
    return rest.length != 0;
  }

  /** Copies as much of the rest as fits from `at` on. */
  short receive(byte[] buffer, short at) {
    int fits = Math.min(rest.length, buffer.length - at);
    System.arraycopy(rest, 0, buffer, at, fits);
    rest = Arrays.copyOfRange(rest, fits, rest.length);
    return (short) fits;
  }
}
