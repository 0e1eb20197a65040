import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { EXIT_STATUS } from '../../../apdu/error-codes.ts';
import { TollcastError } from '../../../apdu/errors.ts';
import { ConfigError, formatPath } from '../config/config-fault.ts';
import type { Api } from './api.ts';
import { type ApiProblem, sendProblem } from './replies/problem-reply.ts';
import { addBillRoutes, type UserBillPorts } from './routes/bill-routes.ts';
import { addBillingRoutes, type BillingPorts } from './routes/billing-routes.ts';
import { addDisputeRoutes, type DisputePorts } from './routes/dispute-routes.ts';
import { addInvoiceRoutes, type InvoicePorts } from './routes/invoice-routes.ts';
import { addLoadRoutes, type LoadPorts } from './routes/load-routes.ts';
import { addLostCardRoutes, type LostCardPorts } from './routes/lost-card-routes.ts';
import { addMemberRoutes, type MemberPorts } from './routes/member-routes.ts';
import { addMetricRoutes, type Metrics } from './routes/metric-routes.ts';
import { addOfferRoutes, type OfferPorts } from './routes/offer-routes.ts';
import { addOperatorRoutes, type OperatorPorts } from './routes/operator-routes.ts';
import { addReceiptRoutes, type ReceiptPorts } from './routes/receipt-routes.ts';
import { addReconcileRoutes, type ReconcilePorts } from './routes/reconcile-routes.ts';
import { addRequestRoutes, type RequestPorts } from './routes/request-routes.ts';
import { addSubscriptionRoutes, type SubscriptionPorts } from './routes/subscription-routes.ts';
import { addUserRoutes, type UserPorts } from './routes/user-routes.ts';
import type { TlsIdentity } from './tls-identity.ts';

/** What the API tells and changes. */
export interface ApiPorts
  extends
    OfferPorts,
    RequestPorts,
    ReceiptPorts,
    ReconcilePorts,
    LoadPorts,
    OperatorPorts,
    MemberPorts,
    BillingPorts,
    DisputePorts,
    UserBillPorts,
    InvoicePorts,
    SubscriptionPorts,
    UserPorts,
    LostCardPorts {
  readonly services: OperatorPorts['services'];
  readonly metrics: Metrics;
  /** Why the head-end cannot go on; undefined while it can. */
  findFailure(): Error | undefined;
}

/** Of the routes and what they carry. */
const API_VERSION = '1';
/** Octets of a body: a definition of a service with a long programme. */
const MAX_BODY = 1_000_000;
/** ms in which a whole request must have come. */
const MAX_REQUEST_TIME = 10_000;
/** Connections at a time. */
const MAX_CONNECTIONS = 10_000;

/**
 * Makes the API of a head-end; one schema validates, types and documents each route.
 * @param tls what clients see; left out, nothing can be reached, as for writing the documentation.
 */
export async function makeApi(
  ports: ApiPorts,
  { tls, log }: { readonly tls?: TlsIdentity; readonly log?: FastifyBaseLogger } = {},
): Promise<Api> {
  const options = {
    bodyLimit: MAX_BODY,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: MAX_REQUEST_TIME,
    connectionTimeout: 2 * MAX_REQUEST_TIME,
    // A field that the schema does not have is refused and not dropped, and no value is read as another type.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
    ...(log !== undefined && { loggerInstance: log }),
    ...(tls !== undefined && { https: { key: tls.key, cert: tls.certificate, minVersion: 'TLSv1.2' as const } }),
  };
  const api: Api = Fastify(options).withTypeProvider<TypeBoxTypeProvider>();
  api.server.maxConnections = MAX_CONNECTIONS;
  api.addHook('onResponse', async (request, reply) => {
    const { method, url, ip } = request;
    request.log.debug({ method, url, ip, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered');
  });
  api.setErrorHandler((error, request, reply) => {
    const problem = describeError(error);
    if (problem.status >= 500) request.log.error({ err: error }, 'a request failed');
    return sendProblem(reply, problem);
  });
  api.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, {
      status: 404,
      detail: 'There is nothing at this address; see /openapi.json for what there is.',
    }),
  );
  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tollcast head-end',
        version: API_VERSION,
        description: 'Offers, requests of receivers, and what operators change.',
      },
      components: { securitySchemes: { operator: { type: 'http', scheme: 'bearer' } } },
    },
  });
  api.get('/healthz', { schema: { summary: 'Whether the head-end runs', hide: false } }, (_request, reply) => {
    if (ports.findFailure() === undefined) return { status: 'ok' };
    return sendProblem(reply, {
      status: 503,
      detail: 'The head-end cannot go on; look into its log, and start it anew.',
    });
  });
  api.get('/openapi.json', { schema: { hide: true } }, () => api.swagger());
  addOfferRoutes(api, ports);
  addRequestRoutes(api, ports);
  addReceiptRoutes(api, ports);
  addReconcileRoutes(api, ports);
  addLoadRoutes(api, ports);
  addMetricRoutes(api, ports);
  addOperatorRoutes(api, ports);
  addMemberRoutes(api, ports);
  addBillingRoutes(api, ports);
  addDisputeRoutes(api, ports);
  addBillRoutes(api, ports);
  addInvoiceRoutes(api, ports);
  addSubscriptionRoutes(api, ports);
  addUserRoutes(api, ports);
  addLostCardRoutes(api, ports);
  await api.ready();
  return api;
}

function describeError(error: unknown): ApiProblem {
  if (error instanceof ConfigError) {
    const errors = error.faults.map(({ path, message }) => ({ field: formatPath(path), message }));
    return { status: 422, detail: 'The definition cannot be used; correct the fields that are named.', errors };
  }
  if (error instanceof TollcastError && error.exitStatus === EXIT_STATUS.usage) {
    return { status: 422, detail: `${error.message}.` };
  }
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500 && error instanceof Error)
    return { status, detail: `${error.message}; correct it.` };
  return { status: 500, detail: 'The head-end failed at this; look into its log.' };
}
