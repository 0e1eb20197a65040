package tollcast.applet;

/** Where the name of a key stands in what its working keys are derived from (protocol 1.1). */
interface KeyName {
  short KIND = 0;
  short SERVICE = 1;
  short KEY_ID = 5;
  short SIZE = 9;
}
