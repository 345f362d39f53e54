import type { Editor, Open } from '../page/editor'
export function make(_open: Open, _place: HTMLElement): Editor { throw new Error() }
