package tollcast.runner;

import com.grack.nanojson.JsonArray;
import com.grack.nanojson.JsonObject;
import com.grack.nanojson.JsonWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tollcast.runner.card.Card;
import tollcast.runner.card.CardSpec;
import tollcast.runner.runtime.CardRuntime;

/** Runs cards on jCardSim until it is stopped. */
@Command(name = "jcardsim-runner", mixinStandardHelpOptions = true, sortOptions = false,
    description = "Runs Java Card applets on jCardSim, reachable by TCP and through pcscd's vpcd.")
final class Main implements Callable<Integer> {
  @Option(names = "--card", required = true, paramLabel = "KEY=VALUE,...",
      description = "A card; may be repeated. " + CardSpec.KEYS)
  private List<String> cards;

  @Option(names = "--control", paramLabel = "PORT", description = "Control channel for tests; 0 for any port.")
  private Integer control;

  @Option(names = "--listen", defaultValue = "127.0.0.1", paramLabel = "ADDRESS",
      description = "Address of the TCP and control ports (default: ${DEFAULT-VALUE}).")
  private InetAddress listen;

  @Option(names = "--applet", defaultValue = "tollcast.applet.DecodeModuleApplet", paramLabel = "CLASS",
      description = "Applet class (default: ${DEFAULT-VALUE}).")
  private String applet;

  @Option(names = "--aid", defaultValue = "F0544F4C4C4341535401", paramLabel = "HEX",
      description = "Applet AID, 5 to 16 octets (default: ${DEFAULT-VALUE}).")
  private String aid;

  /** Key version 1 and the key set that everyone knows; GlobalPlatform's, for simulated cards alone. */
  private static final String TEST_KEYS = "01404142434445464748494A4B4C4D4E4F404142434445464748494A4B4C4D4E4F"
      + "404142434445464748494A4B4C4D4E4F";

  @Option(names = "--install", defaultValue = TEST_KEYS, paramLabel = "HEX",
      description = "Application data of the install parameters (default: the decode module's, with test keys).")
  private String install;

  @Option(names = "--exit-with-stdin", description = "Exit when stdin is closed.")
  private boolean exitWithStdin;

  public static void main(String[] arguments) {
    CommandLine line = new CommandLine(new Main());
    line.setExecutionExceptionHandler((e, command, parsed) -> {
      System.err.println("jcardsim-runner: " + e.getMessage());
      return e instanceof IllegalArgumentException ? CommandLine.ExitCode.USAGE : CommandLine.ExitCode.SOFTWARE;
    });
    System.exit(line.execute(arguments));
  }

  @Override
  public Integer call() throws IOException, CardRuntime.InstallFailed, InterruptedException {
    byte[] aidOctets = CardSpec.hex("--aid", aid);
    if (aidOctets.length < 5 || aidOctets.length > 16) {
      throw new IllegalArgumentException("--aid " + aid + ": an AID has 5 to 16 octets");
    }
    Cards running = new Cards(listen, new CardSpec.Defaults(applet, aidOctets, CardSpec.hex("--install", install)));
    JsonArray described = new JsonArray();
    for (String card : cards) {
      described.add(ControlServer.describe(running.add(card)));
    }
    ControlServer server = control == null ? null : new ControlServer(listen, control, running);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        running.close();
      } catch (IOException e) {
        System.err.println("jcardsim-runner: " + e.getMessage());
      }
    }));

    JsonObject ready = new JsonObject();
    ready.put("ready", true);
    ready.put("cards", described);
    ready.put("control", server == null ? null : server.port());
    ready.put("token", server == null ? null : server.token());
    System.out.println(JsonWriter.string(ready));
    System.out.flush();

    if (exitWithStdin) {
      System.in.transferTo(OutputStream.nullOutputStream());
      return CommandLine.ExitCode.OK;
    }
    new CountDownLatch(1).await();
    return CommandLine.ExitCode.OK;
  }
}
