// The losses of one lane, as they arrived: a rewind cuts them, a reload fills them from memory.

import { signal } from "@preact/signals";
import type { Entry, LaneProgress, Numbers } from "./wire";

const MOST = 4000;

export class Losses {
  step: number[] = [];
  value: number[] = [];
  scoredStep: number[] = [];
  scored: number[] = [];
  /** Counts changes, for those who draw. */
  version = signal(0);
  private seen = -1;

  add(progress: LaneProgress, steps?: Numbers, values?: Numbers): void {
    const at = progress.step;
    if (at < this.seen) this.cut(at);
    this.seen = at;
    if (steps && values) {
      for (let k = 0; k < steps.length; k++) {
        const step = steps[k]!;
        while (this.step.length && this.step[this.step.length - 1]! >= step) {
          this.step.pop();
          this.value.pop();
        }
        this.step.push(step);
        this.value.push(values[k]!);
      }
      if (this.step.length > MOST) this.thin();
    }
    const scored = progress.validation?.loss;
    if (scored !== undefined && scored !== null && this.scoredStep.at(-1) !== at) {
      if (this.scored.at(-1) === scored) {
        // a score stands until the next one: the flat stretch needs its two ends only
        if (this.scored.at(-2) === scored) this.scoredStep[this.scoredStep.length - 1] = at;
        else this.pushScore(at, scored);
      } else this.pushScore(at, scored);
    }
    this.version.value++;
  }

  /** Remembered states know their losses: a page that is opened late still has a curve. */
  recall(entries: Entry[]): void {
    if (this.step.length || !entries.length) return;
    for (const [, step, , loss] of entries) {
      if (loss === null || !Number.isFinite(loss)) continue;
      this.step.push(step);
      this.value.push(loss);
    }
    this.version.value++;
  }

  private pushScore(step: number, value: number): void {
    this.scoredStep.push(step);
    this.scored.push(value);
    if (this.scored.length > MOST) {
      this.scored = this.scored.filter((_, k) => k % 2 === 0);
      this.scoredStep = this.scoredStep.filter((_, k) => k % 2 === 0);
    }
  }

  private cut(step: number): void {
    while (this.step.length && this.step[this.step.length - 1]! > step) {
      this.step.pop();
      this.value.pop();
    }
    while (this.scoredStep.length && this.scoredStep[this.scoredStep.length - 1]! > step) {
      this.scoredStep.pop();
      this.scored.pop();
    }
  }

  /** Means of pairs in the older three quarters; what is recent stays as it came. */
  private thin(): void {
    const old = Math.floor((this.step.length * 3) / 8) * 2;
    const step: number[] = [];
    const value: number[] = [];
    for (let k = 0; k < old; k += 2) {
      step.push(this.step[k + 1]!);
      value.push((this.value[k]! + this.value[k + 1]!) / 2);
    }
    this.step = step.concat(this.step.slice(old));
    this.value = value.concat(this.value.slice(old));
  }
}
