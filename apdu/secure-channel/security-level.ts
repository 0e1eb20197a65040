/**
 * Bits of the security level, P1 of EXTERNAL AUTHENTICATE; GlobalPlatform Amendment D 7.1.2. Every level has C-MAC.
 */
export const C_MAC = 0x01;
export const C_ENC = 0x02;
export const R_MAC = 0x10;

/** C-MAC; C-MAC and C-ENC; each also with R-MAC. */
export const SECURITY_LEVELS = [0x01, 0x03, 0x11, 0x13] as const;

export type SecurityLevel = (typeof SECURITY_LEVELS)[number];

export function isSecurityLevel(value: number): value is SecurityLevel {
  return (SECURITY_LEVELS as readonly number[]).includes(value);
}

/** The commands of the secure channel, as GlobalPlatform numbers them; `firmware-notes/protocol.md` 2. */
export const CHANNEL_INS = {
  INITIALIZE_UPDATE: 0x50,
  EXTERNAL_AUTHENTICATE: 0x82,
  PUT_KEY: 0xd8,
} as const;

/** Class of a command that travels plainly. */
export const CLA_PLAIN = 0x80;
/** Class of a command under secure messaging. */
export const CLA_SECURE = 0x84;
