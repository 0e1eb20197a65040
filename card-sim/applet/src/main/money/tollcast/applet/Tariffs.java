package tollcast.applet;

/** The tariff codes of a content key (protocol 4.3). */
interface Tariffs {
  byte FREE = 0;
  byte OCTETS = 1;
  byte DURATION = 2;
  byte FLAT = 3;
}
