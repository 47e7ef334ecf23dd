// What the network says on a plane through its inputs, with the training rows over it.

import { useRef } from "preact/hooks";
import { draw, LEFT, nearest, rowOf, TOP } from "./boundary_paint";
import { useDraw } from "./draw";
import { Panel } from "./panel";
import { useSize } from "./size";
import { useStore, useViews } from "./store";

export function Boundary() {
  const store = useStore();
  const known = store.info.value[store.lane.value]?.views.find((view) => view.name === "boundary");
  if (!known) return null;
  return (
    <Panel name="boundary" title={known.title + store.ofLane}>
      <Axes />
      <Map />
    </Panel>
  );
}

function Axes() {
  const store = useStore();
  const { columns, others } = store.look.value;
  const inputs = store.subject.value?.inputs;
  if (!inputs || inputs.length < 2 || store.link.recorded) return null;
  const pick = (side: 0 | 1, value: number) => {
    const next: [number, number] = [...columns];
    if (next[1 - side] === value) next[1 - side] = next[side]!; // the two change places
    next[side] = value;
    store.lookAt({ columns: next });
  };
  return (
    <div class="axes">
      {([0, 1] as const).map((side) => (
        <label key={side}>
          <span class="soft small">{side === 0 ? "across" : "up"}</span>
          <select
            value={columns[side]}
            aria-label={side === 0 ? "Column across" : "Column up"}
            onChange={(event) => pick(side, Number(event.currentTarget.value))}
          >
            {inputs.map((input, k) => (
              <option key={input.name} value={k}>
                {input.name}
              </option>
            ))}
          </select>
        </label>
      ))}
      <OutputChoice />
      {inputs.length > 2 && (
        <label>
          <span class="soft small">others</span>
          <select
            value={others}
            aria-label="Values of the other columns"
            onChange={(event) =>
              store.lookAt({ others: event.currentTarget.value as "mean" | "row" })
            }
          >
            <option value="mean">mean</option>
            <option value="row">as in this row</option>
          </select>
        </label>
      )}
    </div>
  );
}

/** Of several outputs one may be shown alone. */
function OutputChoice() {
  const store = useStore();
  const classes = store.subject.value?.classes ?? [];
  if (classes.length < 3) return null;
  const { output } = store.look.value;
  return (
    <label>
      <span class="soft small">shows</span>
      <select
        value={output ?? ""}
        aria-label="Which class is shown"
        onChange={({ currentTarget: { value } }) =>
          store.lookAt({ output: value === "" ? null : Number(value) })
        }
      >
        <option value="">all classes</option>
        {classes.map((name, k) => (
          <option key={name} value={k}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Map() {
  const store = useStore();
  useViews("boundary", "points");
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const hidden = useRef(document.createElement("canvas"));
  const size = useSize(box);

  useDraw(() => {
    void store.frame.value;
    const { width } = size.value;
    if (!canvas.current || !width) return;
    // in a low window the loss curve below should be seen as well
    const room = box.current?.closest(".whole .right")?.clientHeight ?? 0;
    const side = Math.min(width - LEFT - 4, room > 500 && room < 1000 ? Math.max(210, room * 0.33) : 330);
    draw(store, canvas.current, hidden.current, side);
  });

  const click = (event: MouseEvent) => {
    const area = canvas.current!.getBoundingClientRect();
    const side = area.width - LEFT - 4;
    const point = nearest(store, event.clientX - area.left - LEFT, event.clientY - area.top - TOP, side);
    const found = point === null ? null : rowOf(store, store.lane.value, point);
    if (found) store.lookAt(found);
  };
  return (
    <div class="boundary" ref={box} title="Click a point to select its row">
      <canvas ref={canvas} role="img" aria-label="Decision boundary and training rows" onClick={click} />
    </div>
  );
}
