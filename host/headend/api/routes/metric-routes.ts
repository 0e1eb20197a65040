import type { Registry } from 'prom-client';
import type { Api } from '../api.ts';
import { requireOperator, type OperatorAccess } from '../operator-access.ts';

/** What Prometheus reads. */
export type Metrics = Pick<Registry, 'metrics' | 'contentType'>;

/** Adds what a monitoring asks for, which tells how business goes: operators alone may read it. */
export function addMetricRoutes(
  api: Api,
  { metrics, operators }: { readonly metrics: Metrics; readonly operators: OperatorAccess },
): void {
  api.get(
    '/metrics',
    {
      schema: { summary: 'Counters for Prometheus', tags: ['operators'], security: [{ operator: [] }] },
      onRequest: requireOperator(operators),
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  );
}
