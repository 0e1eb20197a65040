import type { RequestKind } from '../../../apdu/decode-module/requests/signed-request.ts';
import { MIN_REQUEST_TIME, OPEN_REQUEST_END } from '../../../apdu/layout/requests.ts';
import type { SlotGrid } from '../offer/offer.ts';

/** Seconds by which a client's now may differ from the head-end's; `firmware-notes/protocol.md` 4.5. */
const MAX_SKEW = 30;

/** The time that a request is about, as its fields stand for it. */
export interface RequestedTime {
  readonly from: number;
  /** Left out in a request to stay, and in a key request for as long as the join lasts. */
  readonly to?: number;
}

/** What a request says of time: its kind, and the fields as they were signed. */
export interface TimedRequest {
  readonly kind: RequestKind;
  readonly from: number;
  readonly to: number;
}

/**
 * Whether the *from* of a request is too far from the head-end's now. A join may start later and an extension begins at
 * the end that is agreed; all else is about the client's now.
 * @param now seconds since 1970.
 */
export function isSkewed({ kind, from }: TimedRequest, now: number): boolean {
  const mayLieAhead = kind === 'join' || kind === 'extend';
  return from < now - MAX_SKEW || (!mayLieAhead && from > now + MAX_SKEW);
}

/**
 * Works out the time that a request stands for.
 * @param grid of a session that is sold by slots.
 * @returns undefined when it counts slots and there are none, or its end does not come after its start.
 */
export function resolveRequestedTime(request: TimedRequest, grid?: SlotGrid): RequestedTime | undefined {
  const { kind, from, to } = request;
  if (kind === 'stay') return { from };
  if (to >= MIN_REQUEST_TIME) {
    if (kind !== 'leave') return to > from ? { from, to } : undefined;
    // Who pays for whole slots leaves at the end of one.
    return { from, to: grid === undefined ? to : slotEndUpTo(Math.max(from, to), grid) };
  }
  if (kind === 'keyRequest') return to === OPEN_REQUEST_END ? { from } : undefined;
  if (grid === undefined) return undefined;
  switch (kind) {
    case 'leave':
      return to === OPEN_REQUEST_END ? { from, to: slotEndAfter(from, grid) } : undefined;
    case 'join':
      return { from, to: slotEndAfter(from, grid) + to * grid.length };
    case 'extend':
      return to === 0 ? undefined : { from, to: slotEndUpTo(from, grid) + to * grid.length };
  }
}

/** The end of the slot that a time falls in. @returns seconds since 1970. */
function slotEndAfter(time: number, { start, length }: SlotGrid): number {
  return start + (Math.floor((time - start) / length) + 1) * length;
}

/** The first slot's end that is not before a time. */
function slotEndUpTo(time: number, { start, length }: SlotGrid): number {
  return start + Math.ceil((time - start) / length) * length;
}

/** Until when a request counts for the slot that ends then. @returns seconds since 1970; a request must come before. */
export function deadlineOf(slotEnd: number, { offset }: SlotGrid): number {
  return slotEnd - offset;
}
