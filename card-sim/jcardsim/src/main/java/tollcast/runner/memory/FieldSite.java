package tollcast.runner.memory;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A field that some class of some applet writes. The rewritten applet names it by a number.
 *
 * @param owner internal name of the class that the instruction names
 * @param octets what the field takes on a card
 */
public record FieldSite(String owner, String name, int octets) {
  private static final List<FieldSite> SITES = new CopyOnWriteArrayList<>();

  static FieldSite of(int number) {
    return SITES.get(number);
  }

  /** The number of a field, the same at every place that writes it. */
  public static synchronized int numberOf(String owner, String name, int octets) {
    FieldSite site = new FieldSite(owner, name, octets);
    int known = SITES.indexOf(site);
    if (known < 0) {
      SITES.add(site);
    }
    return known < 0 ? SITES.size() - 1 : known;
  }
}
