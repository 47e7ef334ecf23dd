// The selected series over time; of a forecast also what follows, predicted and true.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { ticks } from "./chart";
import { classColor, css, pen, signColor } from "./color";
import { useDraw } from "./draw";
import { clamp, number } from "./format";
import { useSize } from "./size";
import { useStore, useViews, type Store } from "./store";

const HEIGHT = 124;
const LEFT = 34;
const TOP = 6;
const BOTTOM = 18;

type Line = { name: string; color: string; first: number; values: ArrayLike<number>; dash?: number[] };
type About = { steps: string[]; channels: string[]; target: number | null; left_out?: Record<string, number> };

function linesOf(store: Store, lane: number, about: About): Line[] {
  const block = store.block(lane, "series/x");
  if (!block) return [];
  const [time, channels] = block.shape as [number, number];
  const lines: Line[] = about.channels.map((name, k) => ({
    name,
    color: css(classColor(k)),
    first: 0,
    values: Float32Array.from({ length: time }, (_, t) => block.data[t * channels + k]!),
  }));
  const output = store.about(lane, "output");
  if (about.target === null || !output?.values) return lines;
  const begin = about.target < channels ? block.data[(time - 1) * channels + about.target]! : undefined;
  const joined = (values: number[]) => (begin === undefined ? values : [begin, ...values]);
  const first = begin === undefined ? time : time - 1;
  if (output.targets)
    lines.push({ name: "true", color: css(classColor(about.target)), first, values: joined(output.targets), dash: [1.5, 3] });
  lines.push({ name: "predicted", color: css(signColor(-1)), first, values: joined(output.values) });
  return lines;
}

export function Series() {
  const store = useStore();
  const lane = store.lane.value;
  void store.frame.value;
  const isThere = store.info.value[lane]?.views.some((view) => view.name === "series");
  const about: About | null = store.about(lane, "series");
  useViews(...(about?.target === null || !about ? ["series"] : ["series", "output"]));
  if (!isThere) return null;
  return about ? <Plot about={about} /> : <p class="soft small">Compiling this view.</p>;
}

function Plot({ about }: { about: About }) {
  const store = useStore();
  const lane = store.lane.value;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(box);
  const over = useSignal<number | null>(null);
  const lines = linesOf(store, lane, about);
  const last = Math.max(1, ...lines.map(({ first, values }) => first + values.length - 1));
  useDraw(() => {
    void store.frame.value;
    const now: About | null = store.about(store.lane.value, "series");
    if (canvas.current && size.value.width && now)
      draw(canvas.current, linesOf(store, store.lane.value, now), size.value.width, over.value);
  });
  const move = (event: PointerEvent) => {
    const area = box.current!.getBoundingClientRect();
    const share = (event.clientX - area.left - LEFT) / (area.width - LEFT - 4);
    over.value = Math.round(clamp(share, 0, 1) * last);
  };
  const at = over.value;
  const shown = at === null ? null : lines.filter(({ first, values }) => at >= first && at - first < values.length);
  const name = (step: number) => about.steps[step] ?? `${step - about.steps.length + 1} ahead`;
  const left = about.left_out?.["steps"] ?? 0;
  return (
    <figure class="series">
      <div ref={box} onPointerMove={move} onPointerLeave={() => (over.value = null)}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${about.channels.join(", ")} from ${name(0)} to ${name(about.steps.length - 1)}`}
        />
      </div>
      <figcaption class="small soft">
        {at !== null && shown ? (
          <>
            {name(at)}:{" "}
            {shown.map((line) => `${lines.length > 1 ? line.name + " " : ""}${number(line.values[at - line.first])}`).join(", ")}
          </>
        ) : (
          <>
            {lines.map(({ name, color, dash }, k) => (
              <span key={k}>
                <i class={`key ${dash ? "dots" : ""}`} style={{ borderColor: color }} /> {name}
              </span>
            ))}
            {left > 0 && <span>the last {about.steps.length} steps</span>}
          </>
        )}
      </figcaption>
    </figure>
  );
}

function draw(canvas: HTMLCanvasElement, lines: Line[], width: number, over: number | null): void {
  const brush = pen(canvas, width, HEIGHT);
  const all = lines.flatMap(({ values }) => Array.from(values)).filter(Number.isFinite);
  if (!all.length) return;
  const last = Math.max(1, ...lines.map(({ first, values }) => first + values.length - 1));
  let low = all.reduce((a, b) => Math.min(a, b));
  let high = all.reduce((a, b) => Math.max(a, b));
  const margin = (high - low) * 0.04 || Math.abs(high) * 0.05 || 1;
  [low, high] = [low - margin, high + margin];
  const x = (step: number) => LEFT + (step / last) * (width - LEFT - 4);
  const y = (value: number) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const style = getComputedStyle(canvas);
  brush.font = "11px system-ui, sans-serif";
  brush.textAlign = "right";
  brush.textBaseline = "middle";
  brush.strokeStyle = style.getPropertyValue("--line");
  brush.fillStyle = style.getPropertyValue("--soft");
  for (const mark of ticks(low, high, 3)) {
    const place = Math.round(y(mark)) + 0.5;
    brush.beginPath();
    brush.moveTo(LEFT, place);
    brush.lineTo(width - 4, place);
    brush.stroke();
    brush.fillText(String(Number(mark.toPrecision(3))).replace("-", "\u2212"), LEFT - 5, place);
  }
  brush.textBaseline = "alphabetic";
  for (const mark of ticks(0, last, 4)) {
    if (!Number.isInteger(mark)) continue;
    brush.textAlign = mark === 0 ? "left" : "center";
    const text = String(mark + 1);
    const half = brush.measureText(text).width / 2;
    brush.fillText(text, mark === 0 ? LEFT : Math.min(x(mark), width - half), HEIGHT - 4);
  }
  for (const line of lines) {
    brush.beginPath();
    for (let k = 0; k < line.values.length; k++) brush.lineTo(x(line.first + k), y(line.values[k]!));
    brush.strokeStyle = line.color;
    brush.lineWidth = line.dash ? 2.2 : 1.6;
    brush.lineCap = line.dash ? "round" : "butt";
    brush.setLineDash(line.dash ?? []);
    brush.lineJoin = "round";
    brush.stroke();
  }
  brush.setLineDash([]);
  if (over === null) return;
  brush.beginPath();
  brush.moveTo(x(over), TOP);
  brush.lineTo(x(over), HEIGHT - BOTTOM);
  brush.strokeStyle = style.getPropertyValue("--soft");
  brush.lineWidth = 1;
  brush.stroke();
}
