/** Where a recovered stream goes. */
import '../../apdu/require-node.ts';
export { openOutput, OUTPUT_SYNTAX } from './open-output.ts';
export type { FileProgress, Output } from './output.ts';
