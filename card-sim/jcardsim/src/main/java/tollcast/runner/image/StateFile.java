package tollcast.runner.image;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import tollcast.runner.runtime.AppletLoader;
import tollcast.runner.runtime.CardRuntime;

/** The file that holds the EEPROM of one card. It is written whole and put in place by renaming. */
public final class StateFile implements Closeable {
  private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_FOLDER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  private final Path path;
  private final Path temporary;
  private final FileChannel lockChannel;
  private final FileLock lock;

  /** @throws IOException the file is not a card's, or another runner or another card of this one uses it */
  public StateFile(Path path) throws IOException {
    this.path = path;
    temporary = path.resolveSibling(path.getFileName() + ".tmp");
    requireCardFile(path);
    Files.createDirectories(path.getParent(), PRIVATE_FOLDER);
    Path lockFile = path.resolveSibling(path.getFileName() + ".lock");
    lockChannel = FileChannel.open(lockFile, Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE), PRIVATE_FILE);
    FileLock taken = null;
    try {
      taken = lockChannel.tryLock();
    } catch (OverlappingFileLockException e) {
      // Another card of this process has it; the message below says so.
    }
    if (taken == null) {
      lockChannel.close();
      throw new IOException("card file " + path + " is in use: stop the runner that has it, or name another file");
    }
    lock = taken;
  }

  /** Leaves nothing beside a file that is not a card's. */
  private static void requireCardFile(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    boolean isCard = false;
    if (Files.isRegularFile(path)) {
      try (InputStream in = Files.newInputStream(path)) {
        isCard = EepromImage.isImage(in.readNBytes(Integer.BYTES));
      }
    }
    if (!isCard) {
      throw new IOException("card file " + path + " is not a card file: name another, or delete it to get a new card");
    }
  }

  /** @throws IOException the disk is full or the folder is not writable; the old file stays */
  public void save(CardRuntime card) throws IOException {
    byte[] image = EepromImage.of(card);
    // It has keys in it, so nobody else may read it.
    Files.deleteIfExists(temporary);
    try (FileChannel out = FileChannel.open(temporary, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
        PRIVATE_FILE)) {
      ByteBuffer octets = ByteBuffer.wrap(image);
      while (octets.hasRemaining()) {
        out.write(octets);
      }
      out.force(true);
    }
    Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    try (FileChannel folder = FileChannel.open(path.getParent(), StandardOpenOption.READ)) {
      folder.force(true);
    }
  }

  /**
   * @return false if there is no file yet
   * @throws IOException the file is damaged or of another applet build
   */
  public boolean restore(CardRuntime card, AppletLoader loader) throws IOException {
    if (!Files.exists(path)) {
      return false;
    }
    try {
      EepromImage.restore(Files.readAllBytes(path), card, loader);
    } catch (EepromImage.Refused e) {
      throw new IOException("card file " + path + " " + e.getMessage(), e);
    }
    return true;
  }

  @Override
  public void close() throws IOException {
    lock.release();
    lockChannel.close();
  }
}
