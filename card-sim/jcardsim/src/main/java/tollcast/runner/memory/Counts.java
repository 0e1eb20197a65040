package tollcast.runner.memory;

/** What one card has done since its start or the last {@code resetCounts}; installation is not counted. */
public final class Counts {
  public long commands;
  /** Writes that a cut can precede: a field, an array element, an atomic copy, a commit, an octet of another copy. */
  public long persistentWrites;
  public long persistentOctets;
  /** How many keys were set or cleared, transient ones included. */
  public long keySets;
  /** Calls of Cipher.init and Signature.init. */
  public long cipherInits;
  /** How many transactions were committed. */
  public long transactions;
  public long cutsFired;
  /** The most octets that one transaction had to remember. */
  public long maxTransactionOctets;

  public void clear() {
    commands = persistentWrites = persistentOctets = keySets = cipherInits = transactions = cutsFired = 0;
    maxTransactionOctets = 0;
  }
}
