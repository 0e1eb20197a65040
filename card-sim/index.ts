/** Cards without hardware, for tests and programs. */
import '../apdu/require-node.ts';
import { AppletSimulation } from './simulator/applet-simulation.ts';
import type { SimulatedCard, StartCardOptions } from './simulator/simulated-card.ts';
import { SoftSimulation } from './simulator/soft-simulation.ts';

export { type CardStore } from './soft/memory/eeprom.ts';
export { SoftCard } from './soft/soft-card.ts';
export { StateFile } from './soft/memory/state-file.ts';
export {
  CARD_KINDS,
  type CardCounts,
  type CardKind,
  type CardMemory,
  type ChipFeature,
  type CutPoint,
  type SimulatedCard,
  type StartCardOptions,
} from './simulator/simulated-card.ts';

/**
 * Starts a card, inserted, and blank unless its file says otherwise.
 * @throws FormatError when the file is not a card.
 * @throws TransportError `NO_JAVA`, `NO_RUNNER` or `NO_PCSCD` when what the kind needs is missing, with what to type;
 *   `RUNNER_FAILED`, `NO_FREE_READER`; `CARD_IN_USE` or `SOFT_CARD_FILE` for a soft card's file.
 */
export async function startCard(options: StartCardOptions): Promise<SimulatedCard> {
  return options.kind === 'soft'
    ? SoftSimulation.start(options.state, options.apduBuffer)
    : AppletSimulation.start(options);
}
