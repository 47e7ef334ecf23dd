// The selected series over time; of a forecast also what follows, predicted and true.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { drawChart, type Chart, type Line } from "./chart";
import { classColor, css, signColor } from "./color";
import { useDraw } from "./draw";
import { number, px } from "./format";
import { useSize } from "./size";
import { useStore, useViews, type Store } from "./store";

const HEIGHT = 128;

type Named = Line & { name: string };
type About = { steps: string[]; channels: string[]; target: number | null; left_out?: Record<string, number> };

function linesOf(store: Store, lane: number, about: About): Named[] {
  const block = store.block(lane, "series/x");
  if (!block) return [];
  const [time, channels] = block.shape as [number, number];
  const line = (name: string, color: string, first: number, values: number[], dashed = false) => ({
    name,
    color,
    dashed,
    values,
    steps: values.map((_, k) => first + k),
  });
  const column = (k: number) => Array.from({ length: time }, (_, t) => block.data[t * channels + k]!);
  const lines = about.channels.map((name, k) => line(name, css(classColor(k)), 1, column(k)));
  const output = store.about(lane, "output");
  const { target } = about;
  if (target === null || !output?.values) return lines;
  // what follows begins where the series ends
  const last = lines[target]?.values.slice(-1) ?? [];
  const first = time + 1 - last.length;
  if (output.targets)
    lines.push(line("true", css(classColor(target)), first, [...last, ...output.targets], true));
  lines.push(line("predicted", css(signColor(-1)), first, [...last, ...output.values]));
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
  const chart = useRef<Chart | null>(null);
  const over = useSignal<number | null>(null);
  useDraw(() => {
    void store.frame.value;
    const now: About | null = store.about(store.lane.value, "series");
    const { width } = size.value;
    if (!canvas.current || !width || !now) return;
    const lines = linesOf(store, store.lane.value, now);
    chart.current = drawChart(canvas.current, { width, height: HEIGHT }, lines, false);
  });
  const move = (event: PointerEvent) => {
    const x = event.clientX - box.current!.getBoundingClientRect().left;
    over.value = Math.round(chart.current?.stepAt(x) ?? 1);
  };
  const lines = linesOf(store, lane, about);
  const at = over.value;
  const valueAt = ({ steps, values }: Line) => values[at! - steps[0]!];
  const name = (step: number) => about.steps[step - 1] ?? `${step - about.steps.length} ahead`;
  const left = about.left_out?.["steps"] ?? 0;
  return (
    <figure class="series">
      <div class="chart-box" ref={box} onPointerMove={move} onPointerLeave={() => (over.value = null)}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${about.channels.join(", ")} from ${name(1)} to ${name(about.steps.length)}`}
        />
        {at !== null && <span class="cursor" style={{ left: px(chart.current?.xOf(at) ?? 0) }} />}
      </div>
      <figcaption class="small soft">
        {at !== null ? (
          <>
            {name(at)}:{" "}
            {lines
              .filter((line) => valueAt(line) !== undefined)
              .map((line) => `${lines.length > 1 ? line.name + " " : ""}${number(valueAt(line))}`)
              .join(", ")}
          </>
        ) : (
          <>
            {lines.map(({ name, color, dashed }, k) => (
              <span key={k}>
                <i class={`key ${dashed ? "dots" : ""}`} style={{ borderColor: color }} /> {name}
              </span>
            ))}
            {left > 0 && <span>the last {about.steps.length} steps</span>}
          </>
        )}
      </figcaption>
    </figure>
  );
}
