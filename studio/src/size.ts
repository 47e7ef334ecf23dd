// The size of an element, as a signal that follows it.

import { useSignal, type Signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";

export type Size = { width: number; height: number };

export function useSize(box: { current: HTMLElement | null }): Signal<Size> {
  const size = useSignal<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const watched = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      size.value = { width: Math.floor(width), height: Math.floor(height) };
    });
    watched.observe(box.current!);
    return () => watched.disconnect();
  }, []);
  return size;
}
