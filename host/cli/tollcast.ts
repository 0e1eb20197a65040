#!/usr/bin/env node
import '../../apdu/require-node.ts';

// Read only now: an older Node does not get through all of it.
await import('./program.ts');
