package tollcast.runner;

/** The supply voltage is gone: unwinds the applet. An Error, so that a {@code catch (Exception e)} lets it by. */
final class PowerCut extends Error {
  static final PowerCut NOW = new PowerCut();

  private PowerCut() {
    super("power cut", null, false, false);
  }
}
