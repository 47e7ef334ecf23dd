// The rooms of the page, and which of them are there.

import { useEffect, useRef } from "preact/hooks";
import { Boundary } from "./boundary";
import { dark } from "./color";
import { Controls } from "./controls";
import { Curves } from "./curves";
import { Gradients } from "./gradients";
import { Findings } from "./findings";
import { onKey } from "./keyboard";
import { LessonCard } from "./lesson";
import { Network } from "./network";
import { Output } from "./output";
import { RowPicker } from "./rows";
import { StoryPanel } from "./story";
import { useStore } from "./store";
import { Surface } from "./surface";
import { Timeline } from "./timeline";
import { Toasts } from "./toasts";
import { TopBar } from "./top_bar";

export function App() {
  const store = useStore();
  const room = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // in a notebook only keys pressed within this studio are its own
    const whole = room.current!.closest(".whole");
    const target: EventTarget = whole ? document : room.current!;
    const listen = (event: Event) => onKey(store, event as KeyboardEvent);
    target.addEventListener("keydown", listen);
    return () => target.removeEventListener("keydown", listen);
  }, []);
  useEffect(() => {
    // canvases do not follow the color scheme by themselves
    const repaint = () => (store.frame.value = store.frame.value && { ...store.frame.value });
    return dark.watch(repaint);
  }, []);
  const lanes = store.lanes.value;
  return (
    <div class="room" ref={room} tabIndex={-1}>
      <TopBar />
      <Connection />
      <Findings />
      <div class="floor">
        <div class="middle">
          <LessonCard />
          <div class={`networks ${lanes.length > 1 ? "two" : ""}`}>
            {lanes.map((lane, k) => (
              <Network key={lane} lane={lane} at={k} of={lanes.length} />
            ))}
          </div>
          <StoryPanel />
          <Timeline />
        </div>
        <aside class="left" aria-label="Row and training">
          <RowPicker />
          <Controls />
        </aside>
        <aside class="right" aria-label="Views">
          <Boundary />
          <Output />
          <Curves />
          <Gradients />
          <Surface />
        </aside>
      </div>
      <Toasts />
    </div>
  );
}

function Connection() {
  const store = useStore();
  const { kind, text } = store.status.value;
  if (store.slow.value)
    return (
      <p class="connection" role="status">
        {store.link.slow}
      </p>
    );
  if (kind === "open") return null;
  return (
    <p class={`connection ${kind}`} role="status">
      {text}
    </p>
  );
}
