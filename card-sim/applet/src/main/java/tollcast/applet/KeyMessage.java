package tollcast.applet;

/** Where the fields of a key message stand (protocol 4, 4.6, 4.9). */
interface KeyMessage {
  short KIND = 0;
  short VERSION = 1;
  short LENGTH = 2;
  short SERVICE = 4;
  short KEY_ID = 8;
  short FROM = 12;
  short TO = 16;
  short NUMBER = 20;
  short PARENT_KIND = 24;
  short FLAGS = 25;
  short RESERVED = 26;
  short PARENT_ID = 28;
  short WRAPPED_KEY = 32;
  short BODY = 48;
  /** A private half is two blocks long, so its body comes 16 octets later. */
  short PRIVATE_HALF_BODY = 64;

  /** Service, key id, from and to stand together, and in the same order in an entry of LIST KEYS (4.4). */
  short NAME_AND_VALIDITY = SERVICE;
  short NAME_AND_VALIDITY_LENGTH = 16;

  short KEY_LENGTH = 16;
  short EPHEMERAL_POINT_LENGTH = 64;
  /** The shortest message there is: no body and a short tag. */
  short MIN_LENGTH = 56;
}
