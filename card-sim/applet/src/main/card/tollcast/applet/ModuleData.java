package tollcast.applet;

/** Where the fields of the module data stand (protocol 2.3). */
interface ModuleData {
  short CAPABILITIES = 0;
  short MAX_SPAN = 4;
  short MAX_COMMAND_DATA = 6;
  short APPLET_VERSION = 8;
  short FREE_PAGES = 10;
  short SIZE = 12;
}
