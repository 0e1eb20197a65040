package tollcast.applet;

/** A key message: its header, and what stands behind it (protocol 4, 4.9). */
interface KeyMessage extends KeyMessageHeader {
  short WRAPPED_KEY = 32;
  short BODY = 48;
  /** A private half is two blocks long, so its body comes 16 octets later. */
  short PRIVATE_HALF_BODY = 64;

  short KEY_LENGTH = 16;
  short EPHEMERAL_POINT_LENGTH = 64;

  /** Service, key id, from and to stand together, and in the same order in a key entry of LIST KEYS (4.4). */
  short NAME_AND_VALIDITY = SERVICE;
  short NAME_AND_VALIDITY_LENGTH = 16;
}
