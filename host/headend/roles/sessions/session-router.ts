import { TollcastError } from '../../../../apdu/errors.ts';
import { fromHex } from '../../../../apdu/octets.ts';
import type { SessionKeyManager } from '../../keys/session-key-manager.ts';
import type { EndedMember, GrantedKeys, KeyGrant, SessionKeys } from '../../requests/session-keys.ts';

/** Brings what the request desk asks of a session's keys to the manager of that session. */
export class SessionRouter implements SessionKeys {
  readonly #managers = new Map<string, SessionKeyManager>();

  /** @param session as `formatSession` writes it. */
  set(session: string, manager: SessionKeyManager): void {
    this.#managers.set(session, manager);
  }

  delete(session: string): void {
    this.#managers.delete(session);
  }

  /** @throws TollcastError `GRANTS_ENDED` when the session is not sent. */
  grant({ sold, cardId, from, to, startBy, takeNumber }: KeyGrant): GrantedKeys {
    const manager = this.#managers.get(sold.session);
    if (manager === undefined) {
      throw new TollcastError('GRANTS_ENDED', `session ${sold.session} is not sent now; wait for its head-end`);
    }
    return manager.grant({ cardId, from, to, takeNumber }, startBy);
  }

  end({ session, cardId, to }: EndedMember): void {
    this.#managers.get(session)?.end(fromHex(cardId), to);
  }
}
