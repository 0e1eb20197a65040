/** Makes an RTP packet (RFC 3550 5.1) without extension. */
export function makeRtpDatagram(
  payloadType: number,
  sequence: number,
  payload: Uint8Array,
  { ssrc = 0x1234, csrcs = 0, padding = 0 } = {},
): Uint8Array {
  const datagram = new Uint8Array(12 + 4 * csrcs + payload.length + padding);
  const view = new DataView(datagram.buffer);
  view.setUint8(0, 0x80 | (padding > 0 ? 0x20 : 0) | csrcs);
  view.setUint8(1, payloadType);
  view.setUint16(2, sequence & 0xffff);
  view.setUint32(8, ssrc);
  datagram.set(payload, 12 + 4 * csrcs);
  if (padding > 0) datagram[datagram.length - 1] = padding;
  return datagram;
}
