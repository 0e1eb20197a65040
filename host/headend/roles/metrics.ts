import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { SessionRunner } from './sessions/session-runner.ts';

/** A session whose counters are told. */
export interface MeteredSession {
  readonly service: number;
  readonly session: string;
  readonly identity: string;
  readonly runner: Pick<SessionRunner, 'isSending' | 'lateness' | 'totals'>;
}

const LABELS = ['service', 'session'] as const;
const QUANTILES = [0.5, 0.9, 0.99, 0.999, 1];

/**
 * Makes what Prometheus reads.
 * @param list the sessions that run now.
 * @param countMembers of a session, as `formatSession` writes it.
 */
export function makeMetrics(
  list: () => readonly MeteredSession[],
  countMembers: (session: string) => number,
): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const [name, help] of [
    ['octets', 'Octets of payload sent, before sealing'],
    ['packets', 'Packets sent'],
    ['groups', 'Groups sent, with a card packet each'],
    ['contentKeys', 'Content keys that came into force'],
  ] as const) {
    const counter: Counter<(typeof LABELS)[number]> = new Counter({
      name: `tollcast_sent_${name === 'contentKeys' ? 'content_keys' : name}_total`,
      help,
      labelNames: LABELS,
      registers: [registry],
      collect() {
        counter.reset();
        for (const { service, session, runner } of list()) counter.inc({ service, session }, runner.totals[name]);
      },
    });
  }
  const sending: Gauge<(typeof LABELS)[number]> = new Gauge({
    name: 'tollcast_sending',
    help: 'Whether a stream of the session is being sent',
    labelNames: LABELS,
    registers: [registry],
    collect() {
      sending.reset();
      for (const { service, session, runner } of list()) sending.set({ service, session }, runner.isSending ? 1 : 0);
    },
  });
  const lateness: Gauge<(typeof LABELS)[number] | 'quantile'> = new Gauge({
    name: 'tollcast_packet_lateness_seconds',
    help: 'How late after their media time packets went, by share of the packets of the newest stream',
    labelNames: [...LABELS, 'quantile'],
    registers: [registry],
    collect() {
      lateness.reset();
      for (const { service, session, runner } of list()) {
        for (const quantile of QUANTILES) {
          lateness.set({ service, session, quantile }, runner.lateness.quantile(quantile) / 1000);
        }
      }
    },
  });
  const members: Gauge<(typeof LABELS)[number]> = new Gauge({
    name: 'tollcast_members',
    help: 'Cards that may decode the session',
    labelNames: LABELS,
    registers: [registry],
    collect() {
      members.reset();
      for (const { service, session, identity } of list()) members.set({ service, session }, countMembers(identity));
    },
  });
  return registry;
}
