// What else one can do with a document.

import type { Open } from '../page/editor'

export function tools(_open: Open): void {}
