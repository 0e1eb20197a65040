package tollcast.applet;

/** Where the name of a slot stands in what its working keys are derived from (protocol 4.6). */
interface SlotName {
  short KIND = 0;
  short SERVICE = 1;
  short SLOT = 5;
  short EPOCH = 9;
  short SIZE = 13;
}
