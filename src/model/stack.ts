// Call stacks as contexts: a context is the stack with its recursion taken out, so that the number of contexts of a
// program is bounded by its code, not by its input.
import type { Frame } from '../linux/index.ts';

const frameKey = (frame: Frame): string => `${frame.module}+${frame.offset.toString(16)}`;

/** The stack, innermost first, with every loop between two equal frames cut out. */
export function contextFrames(stack: readonly Frame[]): readonly Frame[] {
  const seen = new Map<string, number>();
  const out: Frame[] = [];
  // From the outermost inwards, so that the entry into a recursion and its innermost activation stay.
  for (let i = stack.length - 1; i >= 0; i--) {
    const key = frameKey(stack[i]);
    const at = seen.get(key);
    if (at === undefined) {
      seen.set(key, out.length);
      out.push(stack[i]);
    } else {
      for (const dropped of out.splice(at + 1)) seen.delete(frameKey(dropped));
    }
  }
  return out.reverse();
}

const keys = new WeakMap<readonly Frame[], string>();

/** Text that is equal for stacks of the same context. */
export function stackKey(stack: readonly Frame[]): string {
  let key = keys.get(stack);
  if (key === undefined) {
    key = contextFrames(stack).map(frameKey).join('<');
    keys.set(stack, key);
  }
  return key;
}
