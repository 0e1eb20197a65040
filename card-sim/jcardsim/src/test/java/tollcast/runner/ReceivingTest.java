package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tollcast.runner.card.CardSpec;
import tollcast.testapplet.TestApplet;

class ReceivingTest {
  @ParameterizedTest
  @CsvSource({"133, 1, 1", "133, 127, 1", "133, 128, 1", "133, 129, 2", "133, 255, 2", "200, 196, 2", "261, 255, 1"})
  void longCommandComesInPieces(int buffer, int length, int pieces) throws Exception {
    Rig rig = new Rig(",buffer=" + buffer);
    byte[] data = new byte[length];
    Arrays.fill(data, (byte) 2);
    String expected = String.format("%04X%04X%04X%04X", 2 * length, pieces, buffer, length);
    assertEquals(expected, rig.ok(TestApplet.SUM, 0, data));
    // Nothing of it is left for the next one.
    assertEquals(String.format("%04X%04X%04X%04X", 2, 1, buffer, 1), rig.ok(TestApplet.SUM, 0, (byte) 2));
  }

  @Test
  void bufferHas133To261Octets() {
    for (String wrong : new String[] {"132", "262", "", "x"}) {
      assertThrows(IllegalArgumentException.class, () -> CardSpec.parse("tcp=0,buffer=" + wrong, Rig.DEFAULTS));
    }
  }
}
