package tollcast.runner;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.licel.jcardsim.crypto.ECKeyImpl;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyAgreement;
import javacard.security.KeyPair;
import org.junit.jupiter.api.Test;
import tollcast.runner.memory.CardRam;
import tollcast.runner.memory.Counts;
import tollcast.runner.memory.Eeprom;
import tollcast.runner.memory.KeyPairMemory;

class KeyPairMemoryTest {
  private static final short BITS = 256;
  private static final int PAIRS = 2_000;

  private static byte[] agree(ECPrivateKey secret, ECPublicKey point) {
    KeyAgreement agreement = KeyAgreement.getInstance(KeyAgreement.ALG_EC_SVDP_DH, false);
    agreement.init(secret);
    byte[] octets = new byte[65];
    assertEquals(65, point.getW(octets, (short) 0));
    byte[] secrets = new byte[20];
    assertEquals(20, agreement.generateSecret(octets, (short) 0, (short) 65, secrets, (short) 0));
    return secrets;
  }

  private static String secretOf(KeyPair pair) {
    byte[] octets = new byte[32];
    assertEquals(32, ((ECPrivateKey) pair.getPrivate()).getS(octets, (short) 0));
    return HexFormat.of().formatHex(octets);
  }

  /** So many that some secrets begin with a zero octet. */
  @Test
  void everyPairBelongsTogetherAndNoneComesTwice() {
    Eeprom eeprom = new Eeprom(new Counts(), new CardRam(0), 384);
    KeyPair fixed = new KeyPair(KeyPair.ALG_EC_FP, BITS);
    KeyPair pair = new KeyPair(KeyPair.ALG_EC_FP, BITS);
    KeyPairMemory.generate(eeprom, fixed);
    Set<String> seen = new HashSet<>(Set.of(secretOf(fixed)));
    for (int i = 0; i < PAIRS; i++) {
      KeyPairMemory.generate(eeprom, pair);
      seen.add(secretOf(pair));
      assertArrayEquals(agree((ECPrivateKey) fixed.getPrivate(), (ECPublicKey) pair.getPublic()),
          agree((ECPrivateKey) pair.getPrivate(), (ECPublicKey) fixed.getPublic()), "pair " + i);
    }
    assertEquals(PAIRS + 1, seen.size());
  }

  private static ECKeyImpl again(ECKeyImpl key) throws Exception {
    ByteArrayOutputStream image = new ByteArrayOutputStream();
    KeyPairMemory.write(new DataOutputStream(image), key);
    ECKeyImpl read = KeyPairMemory.read(new DataInputStream(new ByteArrayInputStream(image.toByteArray())));
    ByteArrayOutputStream second = new ByteArrayOutputStream();
    KeyPairMemory.write(new DataOutputStream(second), read);
    assertArrayEquals(image.toByteArray(), second.toByteArray());
    return read;
  }

  @Test
  void keysComeBackFromAnImage() throws Exception {
    KeyPair pair = new KeyPair(KeyPair.ALG_EC_FP, BITS);
    KeyPairMemory.generate(new Eeprom(new Counts(), new CardRam(0), 384), pair);
    ECPrivateKey secret = (ECPrivateKey) again((ECKeyImpl) pair.getPrivate());
    ECPublicKey point = (ECPublicKey) again((ECKeyImpl) pair.getPublic());
    byte[] shared = agree((ECPrivateKey) pair.getPrivate(), (ECPublicKey) pair.getPublic());
    assertArrayEquals(shared, agree(secret, point));
    assertFalse(Arrays.equals(shared, new byte[20]));
  }
}
