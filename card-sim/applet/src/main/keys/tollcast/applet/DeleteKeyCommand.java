package tollcast.applet;

/** Where the fields of DELETE KEY stand in its data (protocol 2). */
interface DeleteKeyCommand {
  short KIND = 0;
  short SERVICE = 1;
  short KEY_ID = 5;
  short SIZE = 9;
}
