import { type Static, Type } from 'typebox';
import { parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { KeptUser, UserBook } from '../../billing/users/user-book.ts';
import { MAX_USER_NAME } from '../../billing/users/user-name.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { sendProblem } from '../replies/problem-reply.ts';

/** Who the users are, and which cards they have. */
export interface UserPorts {
  readonly operators: OperatorAccess;
  readonly users: UserBook;
  /** Logs what an operator did. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const NAME = {
  user: Type.String({ minLength: 1, maxLength: MAX_USER_NAME, description: 'as in its account user:NAME' }),
};
const CARD = { card: Type.String({ maxLength: 40, description: 'card id, as it is printed' }) };
const TEXT = Type.Union([Type.String({ minLength: 1, maxLength: 500 }), Type.Null()]);
const PERSON = Type.Object(
  {
    person: Type.Optional(TEXT),
    contact: Type.Optional(TEXT),
    address: Type.Optional(TEXT),
  },
  { additionalProperties: false, description: 'what is left out stays; null takes it away' },
);
const USER = Type.Object({
  name: Type.String(),
  person: TEXT,
  contact: TEXT,
  address: TEXT,
  cards: Type.Array(Type.Object({ card: Type.String(), since: Type.Integer({ description: 'seconds since 1970' }) })),
});
const DATA = Type.Object({
  part: Type.String(),
  rows: Type.Array(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]))),
  next: Type.Optional(Type.String()),
});
const ERASED = Type.Object({
  pseudonym: Type.String({ description: 'what stands for the name; the name of a card stays' }),
  isOverwritten: Type.Boolean({ description: 'no octet of it is in the database; else after the next start' }),
});
const UNKNOWN = { status: 404, detail: 'No user of this name is known here; list them first.' };

/** Adds users, and the cards that each has. */
export function addUserRoutes(api: Api, { operators, users, note }: UserPorts): void {
  const common = { tags: ['users'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);

  api.get(
    '/v1/operator/users',
    {
      schema: {
        ...common,
        summary: 'Users and their cards, by name; a card that nobody was given is its own user',
        querystring: Type.Object(
          {
            after: Type.Optional(Type.String({ maxLength: MAX_USER_NAME, description: 'names behind this one' })),
            limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$', description: '100 when left out' })),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ users: Type.Array(USER) }) },
      },
      onRequest,
    },
    async ({ query: { after = '', limit = '100' } }) => ({
      users: (await users.list(after, Number(limit))).map(describeUser),
    }),
  );
  api.get(
    '/v1/operator/users/:user',
    {
      schema: { ...common, summary: 'A user and its cards', params: Type.Object(NAME), response: { 200: USER } },
      onRequest,
    },
    async (request, reply) => {
      const user = await users.find(request.params.user);
      return user === undefined ? sendProblem(reply, UNKNOWN) : describeUser(user);
    },
  );
  api.put(
    '/v1/operator/users/:user',
    {
      schema: {
        ...common,
        summary: 'Write down who a user is',
        params: Type.Object(NAME),
        body: PERSON,
        response: { 200: USER },
      },
      onRequest,
    },
    async (request) => {
      const { user } = request.params;
      const kept = await users.put(user, request.body);
      await note(operatorOf(request), 'put user', `user ${user}: ${Object.keys(request.body).join(', ')}`);
      return describeUser(kept);
    },
  );
  api.get(
    '/v1/operator/users/:user/data',
    {
      schema: {
        ...common,
        summary: 'All that is held about a user, page after page',
        params: Type.Object(NAME),
        querystring: Type.Object(
          { after: Type.Optional(Type.String({ maxLength: 40, description: 'as the page before called the next' })) },
          { additionalProperties: false },
        ),
        response: { 200: DATA },
      },
      onRequest,
    },
    async (request) => {
      const { user } = request.params;
      const { after = '' } = request.query;
      const { part, rows, next } = await users.readData(user, after);
      if (after === '') await note(operatorOf(request), 'export user', `user ${user}`);
      return { part, rows: [...rows], ...(next !== undefined && { next }) };
    },
  );
  api.delete(
    '/v1/operator/users/:user',
    {
      schema: {
        ...common,
        summary: 'Erase who a user is, for good; a pseudonym has the place of the name, and all sums stay',
        params: Type.Object(NAME),
        querystring: Type.Object(
          {
            archived: Type.Optional(
              Type.Literal('yes', { description: 'its invoices are kept elsewhere, as far as the law makes one' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: ERASED },
      },
      onRequest,
    },
    async (request) => {
      const erased = await users.erase(request.params.user, request.query.archived !== undefined);
      await note(operatorOf(request), 'erase user', `user ${erased.pseudonym}`);
      return erased;
    },
  );
  const path = '/v1/operator/users/:user/cards/:card';
  const params = Type.Object({ ...NAME, ...CARD });
  api.put(
    path,
    {
      schema: {
        ...common,
        summary: 'Give a user a card: its next joins are charged to the user',
        params,
        response: { 200: USER },
      },
      onRequest,
    },
    async (request) => {
      const { user, card } = request.params;
      const kept = await users.join(user, parseCardId(card));
      await note(operatorOf(request), 'join card', `user ${user}, card ${card}`);
      return describeUser(kept);
    },
  );
  api.delete(
    path,
    { schema: { ...common, summary: 'Take a card from a user: from now on it is its own', params }, onRequest },
    async (request, reply) => {
      const { user, card } = request.params;
      await users.part(user, parseCardId(card));
      await note(operatorOf(request), 'part card', `user ${user}, card ${card}`);
      return reply.code(204).send();
    },
  );
}

function describeUser({ cards, ...user }: KeptUser): Static<typeof USER> {
  return { ...user, cards: [...cards] };
}
