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
  type CutPoint,
  type SimulatedCard,
  type StartCardOptions,
} from './simulator/simulated-card.ts';

/**
 * Starts a card, inserted and blank unless its file says otherwise.
 * @throws TransportError when what it needs (Java, the runner's jar, pcscd with vpcd) is missing; the message says what to type.
 */
export async function startCard(options: StartCardOptions): Promise<SimulatedCard> {
  return options.kind === 'soft' ? SoftSimulation.start(options.state) : AppletSimulation.start(options);
}
