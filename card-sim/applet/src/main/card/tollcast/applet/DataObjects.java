package tollcast.applet;

/** The objects of GET DATA (protocol 2.3). */
interface DataObjects {
  short MODULE = 0x0100;
  short LIMITS = 0x0102;
  short VERIFICATION_KEYS = 0x0103;
  short PUBLIC_KEY = 0x0104;
}
