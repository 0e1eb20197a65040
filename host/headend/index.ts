export { tightCeilings, usualQuantum } from './grant.ts';
export type { MediaSource } from './media-source.ts';
export { openSource } from './open-source.ts';
export type { ServiceAddress } from './service-ports.ts';
export { type ServiceOptions, ServiceSender, type ServiceTotals } from './service-sender.ts';
export { detectFormat, type SourceFormat } from './source-format.ts';
