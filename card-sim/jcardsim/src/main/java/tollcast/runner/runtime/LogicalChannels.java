package tollcast.runner.runtime;

import com.licel.jcardsim.base.ApduCase;
import java.util.Arrays;
import javacard.framework.AID;
import javacard.framework.ISO7816;

/**
 * The logical channels of a card with one applet, which jCardSim does not tell apart. The applet is not
 * multiselectable: while it is selected on one channel, nothing on another one reaches it (JCRE 2.2.2, 4.5.2).
 */
final class LogicalChannels {
  private static final int NONE = -1;
  /** Bits that are not set in the CLA of an interindustry or proprietary command on the channels 0 to 3. */
  private static final int FOREIGN_BITS = 0x78;
  private static final int CHANNEL_BITS = 0x03;
  private static final int CLA_BITS = 0xFC;
  private static final int MAX_AID = 16;

  private int selectedOn = NONE;

  /** Takes down on which channel a command selected the applet. */
  void select(byte[] command) {
    selectedOn = channelOf(command);
  }

  /** Whether a command comes on another channel than the one on which the applet is selected. */
  boolean isForeign(byte[] command) {
    int channel = channelOf(command);
    return channel != NONE && channel != selectedOn;
  }

  /** The status word of the platform for a command on a foreign channel; the applet has this AID. */
  static short answer(byte[] command, AID aid) {
    ApduCase apduCase = ApduCase.getCase(command);
    boolean selects = !apduCase.isExtended() && (command[ISO7816.OFFSET_CLA] & CLA_BITS) == 0
        && command[ISO7816.OFFSET_INS] == ISO7816.INS_SELECT && command[ISO7816.OFFSET_P1] == 4
        && command[ISO7816.OFFSET_P2] == 0;
    if (!selects) {
      return ISO7816.SW_COMMAND_NOT_ALLOWED;
    }
    int length = command.length > ISO7816.OFFSET_CDATA ? command[ISO7816.OFFSET_LC] & 0xFF : 0;
    byte[] asked = Arrays.copyOfRange(command, ISO7816.OFFSET_CDATA, ISO7816.OFFSET_CDATA + length);
    byte[] own = new byte[MAX_AID];
    boolean isOwn = Arrays.equals(asked, Arrays.copyOf(own, aid.getBytes(own, (short) 0)));
    return isOwn ? ISO7816.SW_CONDITIONS_NOT_SATISFIED : ISO7816.SW_FILE_NOT_FOUND;
  }

  private static int channelOf(byte[] command) {
    int cla = command[ISO7816.OFFSET_CLA];
    return (cla & FOREIGN_BITS) == 0 ? cla & CHANNEL_BITS : NONE;
  }
}
