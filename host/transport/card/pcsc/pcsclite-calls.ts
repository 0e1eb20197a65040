/** Calls into pcsclite that have not come back, of this process. Each keeps a thread that nothing can stop. */
let underWay = 0;

export function callBegins(): void {
  underWay++;
}

export function callEnds(): void {
  underWay--;
}

/** Whether a call into pcsclite has not come back: then the process cannot end in the usual way. */
export function hasCallUnderWay(): boolean {
  return underWay > 0;
}
