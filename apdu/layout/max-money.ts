/** The most that a balance, a quantum or a session may come to, in micro-units; `firmware-notes/protocol.md` 3. */
export const MAX_MONEY = 2n ** 39n - 1n;
