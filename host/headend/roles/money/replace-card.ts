import { fromHex } from '../../../../apdu/octets.ts';
import type { HeadendStore } from '../../../store/headend/headend-store.ts';
import type { LostCardPorts } from '../../api/routes/lost-card-routes.ts';
import type { MemberPorts } from '../../api/routes/member-routes.ts';
import type { UserBook } from '../../billing/users/user-book.ts';
import { type LostCard, type LostCards, requireNotLost } from '../../loads/lost-cards.ts';
import type { RequestDesk } from '../../requests/request-desk.ts';

/** What operators do about lost cards. @param lost undefined where cards are not loaded. */
export function openReplacing(
  users: UserBook,
  desk: Pick<RequestDesk, 'evict'>,
  lost: LostCards | undefined,
): LostCardPorts['replacing'] {
  if (lost === undefined) return undefined;
  const describe = async (row: LostCard) => ({ lost: row, currency: await lost.findCurrency(fromHex(row.cardId)) });
  return {
    // The new card gets the user, the lost one is off every list and blocked, and then its last purchase is known.
    // Whatever dies in between, the same again does the rest.
    replace: async ({ cardId, newCardId, operator }) => {
      await lost.requireReplaceable(cardId, newCardId);
      await users.succeed(cardId, newCardId);
      await desk.evict(cardId);
      return describe(await lost.report(cardId, newCardId, operator));
    },
    list: async () => Promise.all((await lost.list()).map(describe)),
  };
}

/** What operators do about members: a card that was lost for good stays blocked. */
export function guardMembers(desk: RequestDesk, store: HeadendStore): MemberPorts['members'] {
  return {
    members: (session) => desk.members(session),
    remove: (cardId, session) => desk.remove(cardId, session),
    evict: (cardId) => desk.evict(cardId),
    unblock: async (cardId) => {
      await requireNotLost(store, cardId);
      await desk.unblock(cardId);
    },
  };
}
