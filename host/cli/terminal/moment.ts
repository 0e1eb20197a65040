/** A time as people and programs read it. @param seconds since 1970. */
export function moment(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}
