package tollcast.otherapplet;

import javacard.framework.APDU;
import javacard.framework.Applet;

/** Another layout of fields. */
public class OtherApplet extends Applet {
  private byte field;

  public static void install(byte[] bArray, short bOffset, byte bLength) {
    new OtherApplet().register();
  }

  @Override
  public void process(APDU apdu) {
    field++;
  }
}
