/** A measurement that came to nothing; its message says why and what to do. The page names it instead of a figure. */
export class MeasurementError extends Error {
  override readonly name = 'MeasurementError';
}
