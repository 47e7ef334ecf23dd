// The remembered states: go back to any of them, or let a second network start from there.

import { useSignal } from "@preact/signals";
import { count, number } from "./format";
import { Icon } from "./icons";
import { rewindOne } from "./keyboard";
import { useStore } from "./store";

const MOST_LANES = 2;

export function Timeline() {
  const store = useStore();
  const dragged = useSignal<number | null>(null);
  const lane = store.lane.value;
  const entries = store.memory.value[lane] ?? [];
  if (store.link.recorded || !store.subject.value) return null;
  let at = entries.findIndex((entry) => entry[5]);
  if (at < 0) at = entries.length - 1;
  if (dragged.value !== null) at = Math.min(dragged.value, entries.length - 1);
  const shown = entries[at];
  const text = shown
    ? `step ${count(shown[1])}, epoch ${count(shown[2])}` +
      (shown[4] ? `: ${shown[4]}` : shown[3] === null ? "" : `, loss ${number(shown[3])}`)
    : "no state is remembered yet";
  return (
    <section class="timeline region-timeline" aria-label="Remembered states">
      <button
        class="tiny"
        aria-label="Back to the state before"
        title="Back to the state before (←)"
        disabled={!entries.length}
        onClick={() => rewindOne(store)}
      >
        <Icon name="rewind" />
      </button>
      <input
        type="range"
        min="0"
        max={Math.max(0, entries.length - 1)}
        value={Math.max(0, at)}
        disabled={entries.length < 2}
        aria-label="Rewind"
        aria-valuetext={text}
        onInput={(event) => (dragged.value = Number(event.currentTarget.value))}
        onChange={(event) => {
          const entry = entries[Number(event.currentTarget.value)];
          dragged.value = null;
          if (entry) store.send({ type: "rewind", lane, id: entry[0] });
        }}
      />
      <span class="soft small when" title={text}>{text}</span>
      {store.lanes.value.length < MOST_LANES && (
        <button
          title="A second network starts beside, from the same weights and with the same batches"
          onClick={() => store.send({ type: "branch", lane })}
        >
          <Icon name="branch" />
          Branch
        </button>
      )}
    </section>
  );
}
