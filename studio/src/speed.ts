// The stops of the speed control, from one step a second to as fast as the machine can.

import type { State } from "./wire";

type Speed = State["speed"];

export const SPEEDS: Speed[] = [
  ...[1, 2, 5, 15].map((per_second) => ({ unit: "steps" as const, per_second })),
  ...[1, 2, 5, 10, 30, 60].map((per_second) => ({ unit: "epochs" as const, per_second })),
  { unit: "epochs", per_second: null },
];

export function speedAt(speed: Speed): number {
  if (speed.per_second === null) return SPEEDS.length - 1;
  let best = 0;
  let nearest = Infinity;
  SPEEDS.forEach((one, k) => {
    if (one.unit !== speed.unit || one.per_second === null) return;
    const distance = Math.abs(Math.log(one.per_second / speed.per_second!));
    if (distance < nearest) [nearest, best] = [distance, k];
  });
  return best;
}

export function speedText({ unit, per_second }: Speed): string {
  if (per_second === null) return "full speed";
  return `${per_second} ${per_second === 1 ? unit.slice(0, -1) : unit}/s`;
}
