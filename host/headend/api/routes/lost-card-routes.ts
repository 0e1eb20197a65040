import { Type } from 'typebox';
import { parseCardId } from '../../../../apdu/decode-module/card-id.ts';
import type { LostCard } from '../../loads/lost-cards.ts';
import type { Api } from '../api.ts';
import { operatorOf, requireOperator, type OperatorAccess } from '../operator-access.ts';
import { describeLostCard, LOST_CARD } from '../replies/ledger-reply.ts';
import { sendProblem } from '../replies/problem-reply.ts';

/** A card that was lost, and the currency of its purse. */
interface FoundLostCard {
  readonly lost: LostCard;
  /** ISO 4217 number. */
  readonly currency: number | undefined;
}

/** Who replaces cards that were lost; undefined where cards are not loaded. */
export interface LostCardPorts {
  readonly operators: OperatorAccess;
  readonly replacing:
    | {
        replace(asked: { cardId: Uint8Array; newCardId: Uint8Array; operator: string }): Promise<FoundLostCard>;
        list(): Promise<readonly FoundLostCard[]>;
      }
    | undefined;
  /** Logs what an operator did. */
  readonly note: (operator: string, action: string, subject: string) => Promise<void>;
}

const CARD = Type.String({ maxLength: 40, description: 'card id, as it is printed' });
const NONE = { status: 404, detail: 'Cards are not loaded here; write loads: true into the configuration.' };

/** Adds what operators do about cards that were lost. */
export function addLostCardRoutes(api: Api, { operators, replacing, note }: LostCardPorts): void {
  const common = { tags: ['users'], security: [{ operator: [] }] };
  const onRequest = requireOperator(operators);
  api.put(
    '/v1/operator/cards/:card/replacement',
    {
      schema: {
        ...common,
        summary: 'Replace a card that was lost, for good: when its purchases have ended, another fetches what is left',
        params: Type.Object({ card: CARD }),
        body: Type.Object({ card: CARD }, { additionalProperties: false, description: 'the new one' }),
        response: { 200: LOST_CARD },
      },
      onRequest,
    },
    async (request, reply) => {
      if (replacing === undefined) return sendProblem(reply, NONE);
      const { card } = request.params;
      const { card: newCard } = request.body;
      const operator = operatorOf(request);
      const asked = { cardId: parseCardId(card), newCardId: parseCardId(newCard), operator };
      const { lost, currency } = await replacing.replace(asked);
      await note(operator, 'replace', `card ${card}, by card ${newCard}`);
      return describeLostCard(lost, currency);
    },
  );
  api.get(
    '/v1/operator/replacements',
    {
      schema: {
        ...common,
        summary: 'Cards that were lost, and what becomes of what they had',
        response: { 200: Type.Object({ replacements: Type.Array(LOST_CARD) }) },
      },
      onRequest,
    },
    async (_request, reply) => {
      if (replacing === undefined) return sendProblem(reply, NONE);
      const found = await replacing.list();
      return { replacements: found.map(({ lost, currency }) => describeLostCard(lost, currency)) };
    },
  );
}
