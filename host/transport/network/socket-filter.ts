// linux/filter.h: classic BPF. A socket's filter sees the UDP header first; the IP header lies at a negative offset.
const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const RETURN = 0x06;
const NETWORK_HEADER = 0xfff0_0000;
const SOURCE_ADDRESS = NETWORK_HEADER + 12;
const SOURCE_PORT = 0;
/** SKF_AD_OFF + SKF_AD_RANDOM. */
const RANDOM_NUMBER = 0xffff_f038;
const WHOLE = 0x4_0000;
const INSTRUCTION = 8;

/** Sources that a filter can name. */
export const MAX_FILTER_SOURCES = 8;

/**
 * Makes a filter by which a socket takes all datagrams of some sources and a share of all others, by chance. The others
 * are let go in the kernel, before they take room in the socket's buffer.
 * @param sources as `toSource` makes them, at most {@link MAX_FILTER_SOURCES}.
 * @param share 0 to 1.
 * @returns an array of struct sock_filter.
 */
export function makeSourceFilter(sources: readonly number[], share: number): Uint8Array<ArrayBuffer> {
  const program: (readonly [code: number, jumpTrue: number, jumpFalse: number, value: number])[] = [];
  for (const source of sources) {
    program.push(
      [LOAD_WORD, 0, 0, SOURCE_ADDRESS],
      [JUMP_EQUAL, 0, 3, Math.floor(source / 0x10000)],
      [LOAD_HALF, 0, 0, SOURCE_PORT],
      [JUMP_EQUAL, 0, 1, source % 0x10000],
      [RETURN, 0, 0, WHOLE],
    );
  }
  program.push(
    [LOAD_WORD, 0, 0, RANDOM_NUMBER],
    [JUMP_GREATER, 1, 0, Math.floor(Math.min(1, Math.max(0, share)) * 0xffff_ffff)],
    [RETURN, 0, 0, WHOLE],
    [RETURN, 0, 0, 0],
  );
  const octets = new Uint8Array(program.length * INSTRUCTION);
  const view = new DataView(octets.buffer);
  for (const [i, [code, jumpTrue, jumpFalse, value]] of program.entries()) {
    view.setUint16(i * INSTRUCTION, code, true);
    view.setUint8(i * INSTRUCTION + 2, jumpTrue);
    view.setUint8(i * INSTRUCTION + 3, jumpFalse);
    view.setUint32(i * INSTRUCTION + 4, value, true);
  }
  return octets;
}
