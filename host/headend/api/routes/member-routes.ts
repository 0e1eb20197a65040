import { Type } from 'typebox';
import { formatCardId, parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import { formatSession } from '../../../contract/session/session-identity.ts';
import type { ListedMember } from '../../membership/member-list.ts';
import type { SoldLog } from '../../roles/sessions/sold-log.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { BILL, describeBill, describeRequest, LOG_ROW } from '../replies/log-reply.ts';
import { sendProblem } from '../replies/problem-reply.ts';
import type { OperatorPorts } from './operator-routes.ts';

/** What operators see and do of members. */
export interface MemberPorts {
  readonly operators: OperatorAccess;
  readonly services: Pick<OperatorPorts['services'], 'find' | 'list'>;
  readonly members: {
    members(session: string): Iterable<ListedMember>;
    remove(cardId: Uint8Array, session: string): Promise<boolean>;
    evict(cardId: Uint8Array): Promise<number>;
    unblock(cardId: Uint8Array): Promise<void>;
  };
  readonly log: SoldLog;
  /** Logs what an operator did to a card. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const CARD = { card: Type.String({ description: 'card id, as it is printed', maxLength: 40 }) };
const SESSION = {
  number: Type.String({ pattern: '^[1-9][0-9]{0,9}$', description: 'of the service' }),
  name: Type.String({ maxLength: 40 }),
};
const LIMIT = Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,4}$', description: '100 when left out' }));

/** Adds what operators ask for and do about members, and the log of what was sold. */
export function addMemberRoutes(api: Api, { operators, services, members, log, note }: MemberPorts): void {
  const common = { tags: ['operators'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);
  const unknown = { status: 404, detail: 'No such session or member is here; list them first.' };
  const find = (number: string, name: string) =>
    services.find(Number(number))?.sessions.find(({ plan }) => plan.name === name);

  api.get(
    '/v1/operator/members',
    {
      schema: {
        ...common,
        summary: 'Who may decode what',
        querystring: Type.Object({ service: Type.Optional(SESSION.number) }),
      },
      onRequest,
    },
    ({ query: { service } }) => {
      const listed = services.list().filter(({ plan }) => service === undefined || plan.number === Number(service));
      return {
        members: listed.flatMap(({ plan: { number }, sessions }) =>
          sessions.flatMap(({ identity, plan: { name } }) =>
            [...members.members(formatSession(identity))].map((one) => ({
              service: number,
              session: name,
              ...describeMember(one),
            })),
          ),
        ),
      };
    },
  );
  api.get(
    '/v1/operator/services/:number/sessions/:name/members',
    {
      schema: {
        ...common,
        summary: 'Who may decode a session',
        params: Type.Object(SESSION),
      },
      onRequest,
    },
    (request, reply) => {
      const session = find(request.params.number, request.params.name);
      if (session === undefined) return sendProblem(reply, unknown);
      return { members: [...members.members(formatSession(session.identity))].map(describeMember) };
    },
  );
  api.delete(
    '/v1/operator/services/:number/sessions/:name/members/:card',
    {
      schema: { ...common, summary: 'Take a card off the list', params: Type.Object({ ...SESSION, ...CARD }) },
      onRequest,
    },
    async (request, reply) => {
      const { number, name, card } = request.params;
      const session = find(number, name);
      const isGone =
        session !== undefined && (await members.remove(parseCardId(card), formatSession(session.identity)));
      if (!isGone) return sendProblem(reply, unknown);
      await note(operatorOf(request), 'take off', `card ${card}, service ${number}, session ${name}`);
      return reply.code(204).send();
    },
  );
  api.put(
    '/v1/operator/cards/:card/block',
    {
      schema: {
        ...common,
        summary: 'Block a card, as one that was stolen: it is off every list at once, and gets no answer',
        params: Type.Object(CARD),
      },
      onRequest,
    },
    async (request) => {
      const { card } = request.params;
      const sessions = await members.evict(parseCardId(card));
      await note(operatorOf(request), 'block', `card ${card}`);
      return { card, sessions };
    },
  );
  api.delete(
    '/v1/operator/cards/:card/block',
    { schema: { ...common, summary: 'Let a blocked card ask again', params: Type.Object(CARD) }, onRequest },
    async (request, reply) => {
      const { card } = request.params;
      await members.unblock(parseCardId(card));
      await note(operatorOf(request), 'unblock', `card ${card}`);
      return reply.code(204).send();
    },
  );
  api.get(
    '/v1/operator/log',
    {
      schema: {
        ...common,
        summary: 'What cards asked for and got, the newest first',
        querystring: Type.Object({ limit: LIMIT, card: Type.Optional(CARD.card) }),
        response: { 200: Type.Object({ log: Type.Array(LOG_ROW) }) },
      },
      onRequest,
    },
    async (request) => {
      const { limit = '100', card } = request.query;
      const rows = await log.requests(Number(limit), card === undefined ? undefined : parseCardId(card));
      return { log: rows.map(describeRequest) };
    },
  );
  api.get(
    '/v1/operator/bills',
    {
      schema: {
        ...common,
        summary: 'What joins came to, the newest first',
        querystring: Type.Object({ limit: LIMIT }),
        response: { 200: Type.Object({ bills: Type.Array(BILL) }) },
      },
      onRequest,
    },
    async (request) => {
      const bills = await log.bills(Number(request.query.limit ?? '100'));
      return { bills: bills.map(describeBill) };
    },
  );
}

function describeMember({ cardId, from, to }: ListedMember) {
  return { card: formatCardId(fromHex(cardId)), from, to };
}
