package tollcast.runner.memory;

/** What one card has done since its start or the last {@code resetCounts}; installation is not counted. */
public final class Counts {
  public long commands;
  /** Cut points passed: fields, array elements, atomic copies, commits, each octet of a non-atomic copy. */
  public long persistentWrites;
  public long persistentOctets;
  /** Keys set or cleared, transient ones included. */
  public long keySets;
  /** Cipher.init and Signature.init. */
  public long cipherInits;
  /** Transactions committed. */
  public long transactions;
  public long cutsFired;
  /** Largest number of octets one transaction had to remember. */
  public long maxTransactionOctets;

  public void clear() {
    commands = persistentWrites = persistentOctets = keySets = cipherInits = transactions = cutsFired = 0;
    maxTransactionOctets = 0;
  }
}
