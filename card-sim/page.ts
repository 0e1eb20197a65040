/** The soft module for a web page, which keeps it in the browser. Nothing of Node is needed. */
import '../apdu/require-node.ts';

export { type CardStore } from './soft/memory/eeprom.ts';
export { PageStore } from './soft/memory/page-store.ts';
export { SoftCard } from './soft/soft-card.ts';
