// The loss around the weights, and the ways of several optimizers over it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { classColor, css, dark, mix, mode, paper, pen, sequential } from "./color";
import { useDraw } from "./draw";
import { count } from "./format";
import { Panel } from "./panel";
import { useSize } from "./size";
import { useStore } from "./store";
import type { Message } from "./wire";

const LEVELS = 14;

export function Surface() {
  const store = useStore();
  const lane = store.lane.value;
  if (store.link.recorded && !store.surface.value) return null;
  return (
    <Panel name="surface" title="Loss surface" closed>
      {store.surface.value ? (
        <Drawing message={store.surface.value} />
      ) : (
        <p class="soft small">
          The loss on a plane through the present weights, and where each optimizer would go.
        </p>
      )}
      {!store.link.recorded && (
        <div class="buttons">
          <button onClick={() => store.send({ type: "surface", lane })}>
            {store.surface.value ? "From the present weights" : "Compute"}
          </button>
        </div>
      )}
    </Panel>
  );
}

function pathsOf({ blocks }: Message) {
  return [...blocks]
    .filter(([name]) => name.startsWith("surface/paths/"))
    .map(([name, block], k) => ({
      name: name.slice("surface/paths/".length),
      block,
      color: classColor(k + 1),
      dash: [[], [6, 4], [2, 4], [9, 3, 2, 3]][k % 4]!,
    }));
}

function Drawing({ message }: { message: Message }) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(box);
  const { surface } = useStore();
  const isDark = useSignal(dark.matches);
  useEffect(() => dark.watch(() => (isDark.value = dark.matches)), []);
  void isDark.value;
  useDraw(() => {
    void isDark.value;
    const side = Math.min(size.value.width, 320);
    if (side && canvas.current && surface.value) draw(canvas.current, surface.value, side);
  });
  return (
    <>
      <div class="surface" ref={box}>
        <canvas ref={canvas} role="img" aria-label="Loss surface with the paths of optimizers" />
      </div>
      <p class="soft small">
        Bluer is a larger loss; the paths begin at the ring, the weights of step{" "}
        {count(message.head.step ?? 0)}.
      </p>
      <p class="legend">
        {pathsOf(message).map(({ name, color, dash }) => (
          <span key={name}>
            <svg class="stroke" viewBox="0 0 30 4" aria-hidden="true">
              <path d="M0 2h30" stroke={css(color)} stroke-dasharray={dash.join()} />
            </svg>{" "}
            {name}
          </span>
        ))}
      </p>
    </>
  );
}

function draw(canvas: HTMLCanvasElement, message: Message, side: number): void {
  const brush = pen(canvas, side, side);
  const loss = message.blocks.get("surface/loss");
  if (!loss) return;
  const [high, wide] = loss.shape as [number, number];
  const finite = [...loss.data].filter(Number.isFinite);
  // losses span powers of ten: equal steps of the logarithm above the lowest show the valley too
  const low = Math.min(...finite);
  const scaled = (value: number) => Math.log1p(Math.max(0, value - low) * 20);
  const most = scaled(Math.max(...finite)) || 1;
  const cells = document.createElement("canvas");
  [cells.width, cells.height] = [wide, high];
  const small = cells.getContext("2d")!;
  for (let y = 0; y < high; y++)
    for (let x = 0; x < wide; x++) {
      const share = Math.floor((scaled(loss.data[y * wide + x]!) / most) * LEVELS) / LEVELS;
      small.fillStyle = css(mix(paper(), sequential(1), share * 0.8));
      small.fillRect(x, high - 1 - y, 1, 1); // rows go upward
    }
  brush.imageSmoothingEnabled = false;
  brush.drawImage(cells, 0, 0, side, side);
  const limits = message.head.limits ?? [-1, 1];
  const place = (value: number) => ((value - limits[0]) / (limits[1] - limits[0])) * side;
  for (const { block, color, dash } of pathsOf(message)) {
    brush.beginPath();
    for (let k = 0; k < block.shape[0]!; k++) {
      const [x, y] = [place(block.data[2 * k]!), side - place(block.data[2 * k + 1]!)];
      if (k) brush.lineTo(x, y);
      else brush.moveTo(x, y);
    }
    brush.strokeStyle = css(paper(), 0.8);
    brush.lineWidth = 4.5;
    brush.setLineDash([]);
    brush.stroke();
    brush.strokeStyle = css(color);
    brush.lineWidth = 2.2;
    brush.setLineDash(dash);
    brush.stroke();
    brush.setLineDash([]);
  }
  const start = pathsOf(message)[0]?.block.data;
  if (!start) return;
  brush.beginPath();
  brush.arc(place(start[0]!), side - place(start[1]!), 5, 0, 7);
  brush.strokeStyle = css(mode().ink);
  brush.lineWidth = 1.5;
  brush.stroke();
}
