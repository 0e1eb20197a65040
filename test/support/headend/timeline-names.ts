/** The fixture of the charging timelines: one user, one session, times that have names. */
export const TIMELINE_USER = '21323421';
/** An origin without its version 1453. */
export const TIMELINE_SESSION = 'finnkino 457286529 172.10.20.212';

/** Writes a time by its name, so that a test reads like the timeline: `(tE1-tS1)+(tE2-tE1)`. */
export function nameTimes(times: Readonly<Record<string, number>>): (time: number) => string {
  const names = new Map(Object.entries(times).map(([name, time]) => [time, name]));
  return (time) => names.get(time) ?? String(time);
}
