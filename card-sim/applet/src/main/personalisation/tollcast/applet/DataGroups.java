package tollcast.applet;

/** The data groups of STORE DATA (protocol 3). */
interface DataGroups {
  short PROFILE = 0x0001;
  short LIMITS = 0x0002;
  short VERIFICATION_KEY = 0x0003;
  short HEAD_END = 0x0004;
  short KEYS = (short) 0x8001;
  short PIN = (short) 0x8002;
}
