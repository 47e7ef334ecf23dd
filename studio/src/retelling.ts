// The story that is open is told again when the network or the row has changed since.

import { effect } from "@preact/signals";
import type { Store } from "./store";
import type { Story } from "./wire";

const LEAST_MS = 1000; // between two tellings while it trains
const PARTS = 5; // of the time until the next one: at most one of them goes into telling

export class Retelling {
  /** What each story was told of. */
  private moments = new WeakMap<Story, string>();
  private asked: { id: number; story: Story; moment: string; at: number } | null = null;
  private rests = 0;

  constructor(private store: Store) {
    effect(() => this.renew());
  }

  /** Whether a story is the answer to what was asked here; it then replaces the older one. */
  take(head: Story): boolean {
    const { asked, store } = this;
    if (head.id !== asked?.id) return false;
    this.answered();
    const all = store.stories.value;
    const last = all.at(-1);
    if (last?.story !== asked.story) return true;
    const story = { ...head, id: asked.story.id }; // the same story: what is typed into it stays
    this.moments.set(story, `${head.step} ${asked.moment}`);
    store.stories.value = [...all.slice(0, -1), { story, choice: last.choice }];
    return true;
  }

  /** Whether an error is the answer to what was asked here: the story stays as it is. */
  failed(of: number | null): boolean {
    if (!this.asked || of !== this.asked.id) return false;
    const { story, moment } = this.asked;
    this.moments.set(story, `${this.store.progress(story.lane)?.step} ${moment}`);
    this.answered();
    return true;
  }

  /** Nothing that was asked before will be answered. */
  forget(): void {
    this.asked = null;
  }

  private answered(): void {
    const now = performance.now();
    this.rests = now + Math.max(LEAST_MS, PARTS * (now - this.asked!.at));
    this.asked = null;
  }

  private renew(): void {
    const { store } = this;
    const told = store.told.value;
    const { playing } = store.state.value;
    if (!told || store.link.recorded || store.waiting.value !== null) return;
    const { story, choice } = told;
    const moment = this.momentOf(story.lane);
    const step = store.progress(story.lane)?.step;
    if (!this.moments.has(story)) this.moments.set(story, `${story.step} ${moment}`);
    if (step === undefined || this.asked || this.moments.get(story) === `${step} ${moment}`) return;
    if (playing && performance.now() < this.rests) return; // the next frame asks again
    const id = store.ask(story.lane, choice);
    this.asked = { id, story, moment, at: performance.now() };
  }

  /** All but the step that a story depends on: the row, and the last change of the network. */
  private momentOf(lane: number): string {
    const { row, set } = this.store.look.value;
    return `${row} ${set} ${this.store.changes(lane)}`;
  }
}
