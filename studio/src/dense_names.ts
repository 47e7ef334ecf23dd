// What the inputs and outputs of a dense network are called, and which of its weights are frozen.

import { keyOf, type Column } from "./dense_geometry";
import { below } from "./format";
import type { LaneInfo, Subject } from "./wire";

export function inputName(subject: Subject | null, unit: number, units: number): string {
  const inputs = subject?.inputs;
  return inputs && inputs.length === units ? inputs[unit]!.name : `x${below(unit + 1)}`;
}

export function outputName(subject: Subject | null, unit: number, units: number): string {
  const classes = subject?.classes;
  if (classes && classes.length === units) return classes[unit]!;
  if (units === 1) return classes?.length === 2 ? classes[1]! : (subject?.target ?? "ŷ");
  return `ŷ${below(unit + 1)}`;
}

export function longestNames(subject: Subject | null, columns: Column[]) {
  const longest = (column: Column | undefined, name: typeof inputName) =>
    Math.max(
      1,
      ...Array.from(
        { length: Math.min(column?.units ?? 0, 64) },
        (_, unit) => name(subject, unit, column!.units).length,
      ),
    );
  return { input: longest(columns[0], inputName), output: longest(columns.at(-1), outputName) };
}

/** Keys of weights that training leaves alone, and paths whose whole tensor it does. */
export function frozenKeys(info: LaneInfo): Set<string> {
  return new Set(
    info.frozen.map((one) =>
      typeof one === "string"
        ? one.replaceAll(" ", "")
        : one.index
          ? keyOf(one.path, one.index)
          : one.path,
    ),
  );
}
