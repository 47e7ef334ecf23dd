// Drawing that follows signals at once: a frame counts as drawn when its canvases are painted.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** Run `paint` now and whenever a signal that it reads has changed, within the change. */
export function useDraw(paint: () => void): void {
  const latest = useRef(paint);
  latest.current = paint;
  useEffect(() => effect(() => latest.current()), []);
}
