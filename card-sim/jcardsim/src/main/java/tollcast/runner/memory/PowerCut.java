package tollcast.runner.memory;

/** The power failed: it unwinds the applet. It is an Error, so that a {@code catch (Exception e)} does not catch it. */
public final class PowerCut extends Error {
  static final PowerCut NOW = new PowerCut();

  private PowerCut() {
    super("power cut", null, false, false);
  }
}
