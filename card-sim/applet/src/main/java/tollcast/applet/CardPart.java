package tollcast.applet;

/** Where the fields of a card part stand (protocol 5.1). */
interface CardPart {
  short KIND = 0;
  /** Version in bits 7..5, blocks of the span in bits 4..0. */
  short SHAPE = 1;
  /** Flags in bits 15..11, packets of the group in bits 10..0. */
  short PACKETS = 2;
  short OCTETS = 4;
  short DURATION = 7;
  short MEDIA_TIME = 10;
  short CONTENT_KEY_ID = 14;
  short INDEX = 18;
  short SSRC = 24;
  short GROUP = 28;
  short SPAN = 32;

  /** One block of span and a short tag. */
  short MIN_LENGTH = 56;
  short MAX_PACKETS = 1024;
}
