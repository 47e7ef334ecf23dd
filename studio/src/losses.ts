// The losses of one lane so far, as the newest frame has them; before it, those that are remembered.

import { signal } from "@preact/signals";
import type { Block, Entry } from "./wire";

export class Losses {
  step: number[] = [];
  value: number[] = [];
  scoredStep: number[] = [];
  scored: number[] = [];
  /** Counts changes, for those who draw. */
  version = signal(0);

  /** Frames hold whole curves: a rewind or a lost frame needs nothing here. */
  take(lane: number, blocks: Map<string, Block>): void {
    const numbers = (name: string) => blocks.get(`${lane}/${name}`)?.data;
    const [step, value] = [numbers("loss/step"), numbers("loss/value")];
    if (!step || !value) return;
    this.step = [...step];
    this.value = [...value];
    this.scoredStep = [...(numbers("validation/step") ?? [])];
    this.scored = [...(numbers("validation/value") ?? [])];
    this.version.value++;
  }

  /** Remembered states know their losses: there is a curve before the first frame. */
  recall(entries: Entry[]): void {
    if (this.step.length || !entries.length) return;
    for (const [, step, , loss] of entries) {
      if (loss === null || !Number.isFinite(loss)) continue;
      this.step.push(step);
      this.value.push(loss);
    }
    this.version.value++;
  }
}
