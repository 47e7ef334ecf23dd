// The rooms of the page, and which of them are there.

import { useEffect, useRef } from "preact/hooks";
import { Curves } from "./curves";
import { DenseNetwork } from "./dense";
import { onKey } from "./keyboard";
import { useStore } from "./store";
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
  const lanes = store.lanes.value;
  return (
    <div class="room" ref={room} tabIndex={-1}>
      <TopBar />
      <Connection />
      <div class="floor">
        <div class="middle">
          {lanes.map((lane) => (
            <Network key={lane} lane={lane} />
          ))}
        </div>
        <aside class="right">
          <Curves />
        </aside>
      </div>
      <Toasts />
    </div>
  );
}

function Network({ lane }: { lane: number }) {
  const store = useStore();
  const info = store.info.value[lane];
  if (!info) return null;
  return (
    <section class="network">{info.is_dense && <DenseNetwork lane={lane} info={info} />}</section>
  );
}

function Connection() {
  const { kind, text } = useStore().status.value;
  if (kind === "open") return null;
  return (
    <p class={`connection ${kind}`} role="status">
      {text}
    </p>
  );
}
