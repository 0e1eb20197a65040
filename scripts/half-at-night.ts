// An example of a charging scheme of one's own. In the configuration of the head-end:
//   schemes:
//     half-at-night: { file: scripts/half-at-night.ts, function: chargeHalfAtNight }
// and in a component of a service: { price: 5.00 USD/h, settlement: invoice, scheme: half-at-night }

/** Seconds of a day, and hours by UTC in which it is night. */
const DAY = 86_400n;
const NIGHT = { from: 0n, to: 6n };

/** What of a closed entry it looks at: times in seconds since 1970, what the offer said in micro-units. */
interface Watched {
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly charge: bigint;
}

/** Bills half of what was connected between midnight and six by UTC. */
export function chargeHalfAtNight({ from, to, seconds, charge }: Watched): bigint {
  if (seconds === 0) return 0n;
  let night = 0n;
  for (let day = BigInt(from) - (BigInt(from) % DAY); day < BigInt(to); day += DAY) {
    const start = later(BigInt(from), day + NIGHT.from * 3600n);
    const end = earlier(BigInt(to), day + NIGHT.to * 3600n);
    if (end > start) night += end - start;
  }
  // Amounts are whole micro-units: what is left of a division is the viewer's.
  return charge - (charge * night + 2n * BigInt(seconds) - 1n) / (2n * BigInt(seconds));
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function earlier(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
