package tollcast.applet;

/** Where the fields of LEAVE stand in its data (protocol 2). */
interface LeaveCommand {
  short SERVICE = 0;
  short KEY_ID = 4;
  short TO = 8;
  short SIZE = 12;
}
