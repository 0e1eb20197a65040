/** A tax that the prices of some services contain. */
export interface TaxRule {
  /** As its account is called, `tax:NAME`, and as invoices name it. */
  readonly name: string;
  /** Basis points of the price without tax: 1900 is 19 %. */
  readonly rate: number;
  /** Numbers of the services that it is on; all when left out. */
  readonly services?: readonly number[];
}

/** A tax of one service, as an invoice has it. */
export interface ContainedTax {
  readonly rule: string;
  readonly rate: number;
  readonly service: number;
  /** Micro-units; below 0 where more was given back than was charged. */
  readonly amount: bigint;
}

const WHOLE = 10_000n;

/**
 * The taxes that an amount contains, each rounded once, to the nearest micro-unit and a half away from zero: amount x
 * rate / (10,000 + all rates of the service).
 * @param amount with its taxes, micro-units; all that an invoice has of the service.
 */
export function computeTaxes(rules: readonly TaxRule[], service: number, amount: bigint): ContainedTax[] {
  const own = rules.filter(({ services }) => services?.includes(service) ?? true);
  const all = WHOLE + own.reduce((sum, { rate }) => sum + BigInt(rate), 0n);
  return own.flatMap(({ name, rate }) => {
    const tax = divideRounded(amount * BigInt(rate), all);
    return tax === 0n ? [] : [{ rule: name, rate, service, amount: tax }];
  });
}

function divideRounded(dividend: bigint, divisor: bigint): bigint {
  const half = divisor / 2n;
  return dividend < 0n ? -((-dividend + half) / divisor) : (dividend + half) / divisor;
}
