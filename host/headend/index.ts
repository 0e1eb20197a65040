/** Seals a source and multicasts it, with the keys that its cards need. */
import '../../apdu/require-node.ts';
export { formatPrice, parsePrice, type Price } from '../money/price.ts';
export { deriveCeilings, chooseQuantum } from './keys/grant.ts';
export { type ContentPeriod, KeySchedule, type KeyScheduleOptions } from './keys/key-schedule.ts';
export type { MediaSource } from './sources/media-source.ts';
export { openSource } from './sources/open-source.ts';
export type { ServiceAddress } from './sender/service-ports.ts';
export { type ServiceOptions, ServiceSender, type ServiceTotals } from './sender/service-sender.ts';
export { detectFormat, type SourceFormat } from './sources/source-format.ts';
