// Keys: space plays, arrows step, f b u are the parts of a step, escape closes the story.

import type { Store } from "./store";

export function onKey(store: Store, event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (target.closest("input, select, textarea, [role=tablist], [contenteditable]")) return;
  if (event.key === "Escape") {
    store.closeStory();
    return;
  }
  if (store.link.recorded) {
    if (event.key === " " && !target.closest("button")) store.link.recorded.toggle();
    else return;
    event.preventDefault();
    return;
  }
  const act = actionOf(store, event, target);
  if (!act) return;
  event.preventDefault();
  act();
}

function actionOf(store: Store, event: KeyboardEvent, target: HTMLElement): (() => void) | null {
  switch (event.key) {
    case " ":
      // a button that has the focus is pressed by space, as everywhere
      if (target.closest("button, a, summary")) return null;
      return () => store.send({ type: store.state.value.playing ? "pause" : "play" });
    case "ArrowRight":
      return () => store.step(event.shiftKey ? "epoch" : "batch");
    case "ArrowLeft":
      return () => rewindOne(store);
    case "f":
      return () => store.step("forward");
    case "b":
      return () => store.step("backward");
    case "u":
      return () => store.step("update");
    default:
      return null;
  }
}

/** To the remembered state before the present one. */
export function rewindOne(store: Store): void {
  store.send({ type: "rewind", lane: store.lane.value });
}

/** Back to the remembered state that is nearest to a step. */
export function rewindNear(store: Store, step: number): void {
  const lane = store.lane.value;
  const entries = store.memory.value[lane] ?? [];
  if (!entries.length || store.link.recorded) return;
  const nearest = entries.reduce((best, one) =>
    Math.abs(one[1] - step) < Math.abs(best[1] - step) ? one : best,
  );
  store.send({ type: "rewind", lane, id: nearest[0] });
}
