package tollcast.runner;

/** What one card has done since its start or the last {@code resetCounts}; installation is not counted. */
final class Counts {
  long commands;
  /** Cut points passed: fields, array elements, atomic copies, commits, each octet of a non-atomic copy. */
  long persistentWrites;
  long persistentOctets;
  /** Keys set or cleared, transient ones included. */
  long keySets;
  /** Cipher.init and Signature.init. */
  long cipherInits;
  /** Transactions committed. */
  long transactions;
  long cutsFired;
  /** Largest number of octets one transaction had to remember. */
  long maxTransactionOctets;

  void clear() {
    commands = persistentWrites = persistentOctets = keySets = cipherInits = transactions = cutsFired = 0;
    maxTransactionOctets = 0;
  }
}
