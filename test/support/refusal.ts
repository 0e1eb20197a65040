import type { DecodeModule } from '../../apdu/decode-module/decode-module.ts';
import { ModuleError } from '../../apdu/decode-module/module-status.ts';

/** What LOAD KEY says of a message; '' when it takes it. */
export async function loadRefused(module: DecodeModule, message: Uint8Array): Promise<string> {
  try {
    await module.loadKey(message);
    return '';
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    return error.code;
  }
}
