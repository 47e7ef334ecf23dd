// A small chart of a few lines over equal steps: a series, a forecast beside the truth.

import { number } from "./format";

export type Line = { values: ArrayLike<number>; name: string; dashed?: boolean };

const WIDE = 200;
const HIGH = 72;
const EDGE = 3;

export function Lines({ lines, label, names }: { lines: Line[]; label: string; names?: string[] | null }) {
  const all = lines.flatMap((line) => [...(line.values as Iterable<number> & ArrayLike<number>)]);
  const finite = all.filter(Number.isFinite);
  if (!finite.length) return null;
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const steps = Math.max(...lines.map((line) => line.values.length));
  const x = (k: number) => EDGE + (k / Math.max(1, steps - 1)) * (WIDE - 2 * EDGE);
  const y = (value: number) => HIGH - EDGE - ((value - low) / (high - low || 1)) * (HIGH - 2 * EDGE);
  const ends = names?.length ? `, ${names[0]} to ${names[names.length - 1]}` : "";
  return (
    <figure class="lines">
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={`${label}${ends}`}>
        {lines.map((line, k) => (
          <polyline
            key={line.name}
            class={`line-${k % 8} ${line.dashed ? "dashed" : ""}`}
            points={Array.from(line.values, (value, at) =>
              Number.isFinite(value) ? `${x(at).toFixed(1)},${y(value).toFixed(1)}` : "",
            ).join(" ")}
          >
            <title>{line.name}</title>
          </polyline>
        ))}
      </svg>
      <figcaption class="soft small">
        {lines.some((line) => line.dashed) &&
          `${lines.map((line) => line.name + (line.dashed ? " (dashed)" : "")).join(", ")}: `}
        {number(low)} to {number(high)}
        {names?.length ? `, ${names[0]} to ${names[names.length - 1]}` : `, ${steps} steps`}
      </figcaption>
    </figure>
  );
}
