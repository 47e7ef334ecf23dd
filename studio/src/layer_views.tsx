// The views of one layer: feature maps, hidden states, gates, attention, and any other arrays.

import { HeatMap, type Cell } from "./heat_map";
import { number } from "./format";
import { withMinus } from "./notation";
import { paintMatrix, paintPicture } from "./pictures";
import { useStore, useViews, type Store } from "./store";
import type { Block } from "./wire";

const STEP_LETTERS = 72; // that have room below a heat map

export type ViewProps = { lane: number; path: string; view: string };

export function LayerView({ lane, path, view }: ViewProps) {
  const store = useStore();
  useViews(view);
  void store.frame.value;
  const about = store.about(lane, view);
  if (!about) return <p class="soft">{store.link.recorded ? "Not recorded." : "Compiling this view."}</p>;
  const Shown = SHOWN[view] ?? Anything;
  const own: string = about.layer ?? path;
  const isOwn = own === path || !about.layers?.includes(path);
  if (!isOwn && store.link.recorded)
    return <p class="soft">This view was recorded of layer {own} alone.</p>;
  return (
    <div class={isOwn ? "" : "awaited"}>
      {isOwn && own !== path && about.layers?.length > 1 && !store.link.recorded && (
        <label class="inline">
          <span class="soft small">layer</span>
          <select value={own} onChange={(event) => store.lookAt({ layer: event.currentTarget.value })}>
            {about.layers.map((one: string) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      )}
      <Shown lane={lane} path={own} view={view} />
    </div>
  );
}

const GATES = new Set(["i", "f", "o", "r", "z'"]); // between 0 and 1

const SHOWN: Record<string, (props: ViewProps) => any> = {
  maps: Maps,
  hidden: Hidden,
  gates: Gates,
  attention: Attention,
};

function namesOf(store: Store, lane: number, view: string): string[] {
  const about = store.about(lane, view);
  const names: string[] = about?.steps ?? about?.tokens ?? [];
  return names.map((name) => name.replaceAll("\n", "⏎").replace(/^ $/, "␣"));
}

function LeftOut({ about }: { about: any }) {
  const left = about?.left_out;
  if (!left) return null;
  const parts = typeof left === "number" ? { channels: left } : { ...left };
  // steps without a name are padding, which nobody misses
  if (about.steps?.length < 64) delete parts.steps;
  const text = Object.entries(parts)
    .filter(([, many]) => (many as number) > 0)
    .map(([what, many]) => `${many} more ${what}`)
    .join(", ");
  return text ? <p class="soft small">Not shown: {text}.</p> : null;
}

function Maps({ lane, path, view }: ViewProps) {
  const store = useStore();
  const about = store.about(lane, view);
  const block = store.block(lane, "maps/maps");
  if (!block) return null;
  const [channels, high, wide] = block.shape as [number, number, number];
  const every: number = about.every ?? 1;
  const input = store.block(lane, "maps/input");
  const valueAt = (channel: number, { row, column }: Cell) => {
    const maps = store.block(lane, "maps/maps");
    const [low, top] = store.about(lane, view)?.ranges?.[channel] ?? [0, 1];
    const byte = maps?.data[(channel * high + row) * wide + column];
    return byte === undefined ? null : low + (byte / 255) * (top - low);
  };
  const paint = (channel: number) => (canvas: HTMLCanvasElement) => {
    const maps = store.block(lane, "maps/maps");
    const [low, top] = store.about(lane, view)?.ranges?.[channel] ?? [0, 1];
    if (!maps || maps.shape[1] !== high) return;
    const from = channel * high * wide;
    const values = Float32Array.from({ length: high * wide }, (_, k) => low + (maps.data[from + k]! / 255) * (top - low));
    paintMatrix(canvas, values, high, wide, 0, [low, top]);
  };
  return (
    <>
      <div class="maps">
        {input && (
          <HeatMap
            label="the input"
            caption="input"
            square
            shape={() => input.shape.slice(0, 2) as [number, number]}
            paint={(canvas) => {
              const now = store.block(lane, "maps/input");
              if (now) paintPicture(canvas, now);
            }}
            valueAt={({ row, column }) => inputAt(store.block(lane, "maps/input"), row, column)}
            name={({ row, column }) => `(${row}, ${column})`}
          />
        )}
        {Array.from({ length: channels }, (_, channel) => (
          <HeatMap
            key={`${path}${channel}`}
            label={`channel ${channel} of ${path}`}
            caption={`channel ${channel}`}
            square
            coarse
            shape={() => [high, wide]}
            paint={paint(channel)}
            valueAt={(cell) => valueAt(channel, cell)}
            name={({ row, column }) => `(${row * every}, ${column * every})`}
            onPick={({ row, column }) =>
              store.click("pixel", path, [row * every, column * every, channel])
            }
          />
        ))}
      </div>
      {every > 1 && (
        <p class="soft small">
          Each square is the mean of {every} × {every} pixels.
        </p>
      )}
      <LeftOut about={about} />
    </>
  );
}

function inputAt(block: Block | null, row: number, column: number): number | null {
  if (!block) return null;
  const [, wide, channels = 1] = block.shape as [number, number, number?];
  return block.data[(row * wide + column) * channels] ?? null;
}

type MatrixProps = {
  lane: number;
  view: string;
  array: string;
  label: string;
  caption?: string;
  limits?: [number, number];
  onPick?: (cell: { step: number; unit: number }) => void;
};

/** (time, units) drawn with time along. */
function TimeMatrix({ lane, view, array, label, caption, limits, onPick }: MatrixProps) {
  const store = useStore();
  const names = namesOf(store, lane, view);
  const first: number = store.about(lane, view)?.first ?? 0;
  const block = () => store.block(lane, `${view}/${array}`);
  const at = ({ row, column }: Cell) => {
    const found = block();
    return found ? (found.data[column * found.shape[1]! + row] ?? null) : null;
  };
  return (
    <HeatMap
      label={label}
      caption={caption}
      shape={() => {
        const found = block();
        return found ? [found.shape[1]!, found.shape[0]!] : null;
      }}
      paint={(canvas) => {
        const { data, shape } = block()!;
        const [time, units] = shape as [number, number];
        const turned = new Float32Array(time * units);
        for (let t = 0; t < time; t++)
          for (let u = 0; u < units; u++) turned[u * time + t] = data[t * units + u]!;
        paintMatrix(canvas, turned, units, time, 0, limits);
      }}
      valueAt={at}
      name={({ row, column }) => `unit ${row + 1} at ${names[column] ?? column + 1 + first}`}
      onPick={onPick && (({ row, column }) => onPick({ step: column + first, unit: row }))}
    />
  );
}

function StepNames({ lane, view }: { lane: number; view: string }) {
  const names = namesOf(useStore(), lane, view);
  if (!names.length || names.length > 32) return null;
  // where not all of them fit, every second, third, ... stands at the start of its step
  const longest = Math.max(...names.map((name) => name.length));
  const every = Math.ceil((names.length * (longest + 1)) / STEP_LETTERS);
  return (
    <p class="step-names soft" aria-hidden="true">
      {names.map((name, k) => k % every === 0 && k + every <= names.length && (
        <span key={k} style={{ width: `${(100 * every) / names.length}%` }}>
          {name}
        </span>
      ))}
    </p>
  );
}

function Hidden({ lane, path, view }: ViewProps) {
  const store = useStore();
  return (
    <>
      <TimeMatrix
        lane={lane}
        view={view}
        array="states"
        label={`hidden states of ${path}, time along, units down`}
        caption="time →, units ↓; click a cell for its arithmetic"
        onPick={({ step, unit }) => store.click("step", path, [step, unit])}
      />
      <StepNames lane={lane} view={view} />
      <LeftOut about={store.about(lane, view)} />
    </>
  );
}

function Gates({ lane, path, view }: ViewProps) {
  const store = useStore();
  const gates: Record<string, string> = store.about(lane, view)?.gates ?? {};
  return (
    <>
      {Object.entries(gates).map(([symbol, meaning]) => (
        <div key={symbol} class="gate">
          <h3>
            <b>{symbol}</b> <span class="soft small">{withMinus(meaning)}</span>
          </h3>
          <TimeMatrix
            lane={lane}
            view={view}
            array={symbol}
            label={`${meaning}, time along, units down`}
            limits={GATES.has(symbol) ? [0, 1] : undefined}
            onPick={({ step, unit }) => store.click("step", path, [step, unit])}
          />
        </div>
      ))}
      <StepNames lane={lane} view={view} />
      <LeftOut about={store.about(lane, view)} />
    </>
  );
}

function Attention({ lane, path, view }: ViewProps) {
  const store = useStore();
  const about = store.about(lane, view);
  const block = store.block(lane, "attention/weights");
  if (!block) return null;
  const [, queries, keys] = block.shape as [number, number, number];
  const heads: number[] = about.heads ?? Array.from({ length: block.shape[0]! }, (_, k) => k);
  const tokens = namesOf(store, lane, view);
  const { head: chosen } = store.look.value;
  return (
    <>
      {!store.link.recorded && (
        <label class="inline">
          <span class="soft small">head</span>
          <select
            value={chosen ?? ""}
            onChange={({ currentTarget: { value } }) =>
              store.lookAt({ head: value === "" ? null : Number(value) })
            }
          >
            <option value="">all heads</option>
            {Array.from({ length: Math.max(heads.length, (chosen ?? 0) + 1) }, (_, k) => (
              <option key={k} value={k}>
                {k + 1}
              </option>
            ))}
          </select>
        </label>
      )}
      <div class={heads.length > 1 ? "maps" : "one-map"}>
        {heads.map((head, place) => (
          <HeatMap
            key={head}
            label={`attention of head ${head + 1}, keys along, queries down`}
            caption={`head ${head + 1}`}
            square
            coarse
            shape={() => [queries, keys]}
            paint={(canvas) => {
              const now = store.block(lane, "attention/weights");
              if (now) paintMatrix(canvas, now.data, queries, keys, place * queries * keys, [0, 255]);
            }}
            valueAt={({ row, column }) => {
              const byte = store.block(lane, "attention/weights")?.data[(place * queries + row) * keys + column];
              return byte === undefined ? null : byte / 255;
            }}
            name={({ row, column }) => `${tokens[row] ?? row + 1} → ${tokens[column] ?? column + 1}`}
            onPick={({ row }) => store.click("head", path, [head, row])}
          />
        ))}
      </div>
      <p class="soft small">Queries down, keys along; each row adds up to 1.</p>
      <LeftOut about={about} />
    </>
  );
}

/** A view that this page does not know: its arrays as heat maps or numbers. */
function Anything({ lane, view }: ViewProps) {
  const store = useStore();
  const prefix = `${lane}/${view}/`;
  const found = [...(store.frame.value?.blocks ?? [])].filter(([name]) => name.startsWith(prefix));
  return (
    <>
      {found.map(([name, { data, shape }]) => {
        const wide = shape.at(-1) ?? 1;
        const high = data.length / wide || 1;
        const label = name.slice(prefix.length);
        if (data.length === 1)
          return (
            <p key={name}>
              {label} {number(data[0])}
            </p>
          );
        return (
          <HeatMap
            key={name}
            label={label}
            caption={label}
            shape={() => [high, wide]}
            paint={(canvas) => {
              const now = store.frame.peek()?.blocks.get(name);
              if (now) paintMatrix(canvas, now.data, high, wide);
            }}
            valueAt={({ row, column }) => store.frame.peek()?.blocks.get(name)?.data[row * wide + column] ?? null}
            name={({ row, column }) => `${row}, ${column}`}
          />
        );
      })}
    </>
  );
}
