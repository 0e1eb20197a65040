import { Type } from 'typebox';
import type { OpenOffer } from '../../announce/open-offers.ts';
import type { Api } from '../api.ts';
import { sendProblem } from '../replies/problem-reply.ts';

/** The offers that receivers are shown. */
export interface OfferPorts {
  readonly offers: { list(): readonly OpenOffer[]; get(id: string): OpenOffer | undefined };
}

/** A signed offer, as it travels. */
const OFFER_TYPE = 'application/vnd.tollcast.offer';

const ENTRY = Type.Object({
  id: Type.String({ description: 'session hash, 40 hexadecimal digits' }),
  name: Type.String(),
  service: Type.Integer(),
  session: Type.String({ description: 'user name, session id and address of the SDP origin' }),
  from: Type.Integer({ description: 'seconds since 1970' }),
  to: Type.Integer({ description: 'seconds since 1970' }),
  href: Type.String({ description: 'where the signed offer is' }),
});

/** Adds what receivers ask for before they join. */
export function addOfferRoutes(api: Api, { offers }: OfferPorts): void {
  api.get(
    '/v1/offers',
    {
      schema: {
        summary: 'What is sold now',
        tags: ['receivers'],
        response: { 200: Type.Object({ offers: Type.Array(ENTRY) }) },
      },
    },
    () => ({
      offers: offers.list().map(({ id, signed, sold }) => {
        const { name, service, from, to } = signed;
        return { id, name, service, session: sold.session, from, to, href: `/v1/offers/${id}` };
      }),
    }),
  );
  api.get(
    '/v1/offers/:id',
    {
      schema: {
        summary: 'A signed offer, octets as they were signed',
        tags: ['receivers'],
        params: Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{40}$' }) }),
        produces: [OFFER_TYPE],
      },
    },
    (request, reply) => {
      const offer = offers.get(request.params.id);
      if (offer === undefined) {
        return sendProblem(reply, { status: 404, detail: 'No such offer is open; see /v1/offers for those that are.' });
      }
      return reply.type(OFFER_TYPE).send(Buffer.from(offer.signed.octets));
    },
  );
}
