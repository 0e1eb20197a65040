import { Type } from 'typebox';
import type { Subscription } from '../../billing/subscriptions.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { describeSubscription, SUBSCRIPTION } from '../replies/ledger-reply.ts';

/** Who pays by the period, whether it joins or not. */
export interface SubscriptionPorts {
  readonly operators: OperatorAccess;
  readonly subscriptions: {
    subscribe(user: string, service: number): Promise<void>;
    unsubscribe(user: string, service: number): Promise<void>;
    list(query: { readonly service?: number; readonly user?: string }): Promise<readonly Subscription[]>;
  };
  /** Logs what an operator did. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const PARAMS = Type.Object({
  service: Type.String({ pattern: '^[1-9][0-9]{0,9}$', description: 'number of the service' }),
  user: Type.String({ minLength: 1, maxLength: 75, description: 'name of the user, as in its account user:NAME' }),
});

/** Who is and was subscribed. */
export const SUBSCRIPTIONS = Type.Object({ subscriptions: Type.Array(SUBSCRIPTION) });

/** Adds how operators subscribe users to services, end that, and list who is subscribed. */
export function addSubscriptionRoutes(api: Api, { operators, subscriptions, note }: SubscriptionPorts): void {
  const common = { tags: ['billing'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);
  api.get(
    '/v1/operator/billing/subscriptions',
    {
      schema: {
        ...common,
        summary: 'Who is and was subscribed, by service and user',
        querystring: Type.Partial(PARAMS),
        response: { 200: SUBSCRIPTIONS },
      },
      onRequest,
    },
    async ({ query: { service, user } }) => {
      const wanted = {
        ...(service !== undefined && { service: Number(service) }),
        ...(user !== undefined && { user }),
      };
      return { subscriptions: (await subscriptions.list(wanted)).map(describeSubscription) };
    },
  );
  const path = '/v1/operator/billing/subscriptions/:service/:user';
  api.put(
    path,
    {
      schema: {
        ...common,
        summary: 'Let a user owe the price per period of a service, whether it joins or not',
        params: PARAMS,
      },
      onRequest,
    },
    async (request, reply) => {
      const { service, user } = request.params;
      await subscriptions.subscribe(user, Number(service));
      await note(operatorOf(request), 'subscribe', `${user}, service ${service}`);
      return reply.code(204).send();
    },
  );
  api.delete(
    path,
    {
      schema: { ...common, summary: 'End a subscription: periods that begin later are not owed', params: PARAMS },
      onRequest,
    },
    async (request, reply) => {
      const { service, user } = request.params;
      await subscriptions.unsubscribe(user, Number(service));
      await note(operatorOf(request), 'unsubscribe', `${user}, service ${service}`);
      return reply.code(204).send();
    },
  );
}
