import { Type } from 'typebox';
import { formatSession } from '../../../contract/session/session-identity.ts';
import { SERVICE, SESSION } from '../../config/config-schema.ts';
import type { KeptService, LoggedChange } from '../../roles/sessions/sold-services.ts';
import type { ServiceTotals } from '../../sender/service-sender.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { sendProblem } from '../replies/problem-reply.ts';

/** What operators see and change. */
export interface OperatorPorts {
  readonly operators: OperatorAccess;
  readonly services: {
    list(): readonly KeptService[];
    find(number: number): KeptService | undefined;
    put(definition: unknown, operator: string): Promise<KeptService>;
    remove(number: number, operator: string): Promise<boolean>;
    changes(limit: number): Promise<readonly LoggedChange[]>;
  };
  readonly sending: {
    /** What a session has sent since the start of the process. */
    stateOf(
      service: number,
      session: string,
    ): { isSending: boolean; strategy: string; totals: ServiceTotals } | undefined;
  };
}

const NUMBER = Type.Object({ number: Type.String({ pattern: '^[1-9][0-9]{0,9}$', description: 'of the service' }) });
const NAMED = Type.Object({ ...NUMBER.properties, name: Type.String({ maxLength: 40 }) });
const SESSION_STATE = Type.Object({
  name: Type.String(),
  origin: Type.String(),
  address: Type.String(),
  isSending: Type.Boolean(),
  strategy: Type.String(),
  octets: Type.Integer(),
  duration: Type.Integer(),
  packets: Type.Integer(),
  groups: Type.Integer(),
});
const SERVICE_STATE = Type.Object({ definition: SERVICE, sessions: Type.Array(SESSION_STATE) });
const CHANGE = Type.Object({
  at: Type.Integer(),
  operator: Type.String(),
  action: Type.String(),
  subject: Type.String(),
  detail: Type.Union([Type.String(), Type.Null()]),
});

/** Adds what operators ask for and change. */
export function addOperatorRoutes(api: Api, { operators, services, sending }: OperatorPorts): void {
  const common = { tags: ['operators'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);
  const describe = ({ definition, plan, sessions }: KeptService) => ({
    definition,
    sessions: sessions.map(({ identity, plan: { name, to } }) => {
      const state = sending.stateOf(plan.number, name);
      const { octets = 0, duration = 0, packets = 0, groups = 0 } = state?.totals ?? {};
      return {
        name,
        origin: formatSession(identity),
        address: `${to.address}:${to.port}`,
        isSending: state?.isSending ?? false,
        strategy: state?.strategy ?? '',
        octets,
        duration,
        packets,
        groups,
      };
    }),
  });
  const unknown = { status: 404, detail: 'No such service or session is sold here; list them first.' };

  api.get(
    '/v1/operator/services',
    {
      schema: {
        ...common,
        summary: 'What is sold',
        response: { 200: Type.Object({ services: Type.Array(SERVICE_STATE) }) },
      },
      onRequest,
    },
    () => ({ services: services.list().map(describe) }),
  );
  api.put(
    '/v1/operator/services/:number',
    {
      schema: { ...common, summary: 'Sell a service, or sell it otherwise', params: NUMBER, body: SERVICE },
      onRequest,
    },
    async (request, reply) => {
      if (request.body.number !== Number(request.params.number)) {
        return sendProblem(reply, {
          status: 422,
          detail: 'Number and address differ; name the service by its number.',
        });
      }
      return describe(await services.put(request.body, operatorOf(request)));
    },
  );
  api.delete(
    '/v1/operator/services/:number',
    { schema: { ...common, summary: 'Sell a service no longer', params: NUMBER }, onRequest },
    async (request, reply) => {
      const wasSold = await services.remove(Number(request.params.number), operatorOf(request));
      return wasSold ? reply.code(204).send() : sendProblem(reply, unknown);
    },
  );
  api.put(
    '/v1/operator/services/:number/sessions/:name',
    { schema: { ...common, summary: 'Add or change a session', params: NAMED, body: SESSION }, onRequest },
    async (request, reply) => {
      const { number, name } = request.params;
      const service = services.find(Number(number));
      if (service === undefined) return sendProblem(reply, unknown);
      const others = service.definition.sessions.filter((session) => session.name !== name);
      const sessions = [...others, { ...request.body, name }];
      return describe(await services.put({ ...service.definition, sessions }, operatorOf(request)));
    },
  );
  api.delete(
    '/v1/operator/services/:number/sessions/:name',
    { schema: { ...common, summary: 'Take a session out', params: NAMED }, onRequest },
    async (request, reply) => {
      const { number, name } = request.params;
      const service = services.find(Number(number));
      const sessions = service?.definition.sessions.filter((session) => session.name !== name);
      if (service === undefined || sessions?.length === service.definition.sessions.length) {
        return sendProblem(reply, unknown);
      }
      return describe(await services.put({ ...service.definition, sessions }, operatorOf(request)));
    },
  );
  api.get(
    '/v1/operator/changes',
    {
      schema: {
        ...common,
        summary: 'Who changed what, the newest first',
        querystring: Type.Object({ limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$' })) }),
        response: { 200: Type.Object({ changes: Type.Array(CHANGE) }) },
      },
      onRequest,
    },
    async (request) => ({ changes: [...(await services.changes(Number(request.query.limit ?? 100)))] }),
  );
}
