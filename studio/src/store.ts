// All that one mounted studio knows: what the session said, and what the reader chose.

import { batch, computed, effect, signal, type Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext, useEffect } from "preact/hooks";
import { Keeper } from "./keeper";
import { Losses } from "./losses";
import { Retelling } from "./retelling";
import {
  unpack,
  type Block,
  type Command,
  type Entry,
  type Finding,
  type Frame,
  type LaneInfo,
  type LaneProgress,
  type Lesson,
  type Link,
  type Look,
  type Message,
  type Options,
  type State,
  type Status,
  type Story,
  type Subject,
} from "./wire";

export type Toast = { id: number; text: string; expected?: string; fix?: string };
export type Choice = { what: string; path: string; index: number[] };
export type Wave = { kind: "forward" | "backward" | "update"; began: number; lane: number };

const MOST_STORIES = 12;
const SLOW_MS = 2000;
const KEEP_WORST = new Set(["look", "click", "ahead", "wrong", "speed", "pause", "surface"]);
const ANSWERED = new Set(["play", "pause", "step", "speed", "look"]); // by a message `state`
const NO_LOOK: Look = {
  views: [],
  layer: null,
  row: 0,
  set: "training",
  columns: [0, 1],
  others: "mean",
  output: null,
  head: null,
};

export class Store {
  status = signal<Status>({ kind: "connecting", text: "connecting" });
  subject = signal<Subject | null>(null);
  options = signal<Options>({ activations: [], optimizers: [], initializers: [], most_units: 256 });
  state = signal<State>({
    playing: false,
    speed: { unit: "epochs", per_second: 1 },
    look: NO_LOOK,
    phase: null,
    noise: 0,
    batch_size: 1,
  });
  lanes = signal<number[]>([]);
  info = signal<Record<number, LaneInfo>>({});
  frame = signal<{ head: Frame; blocks: Map<string, Block> } | null>(null);
  /** Whether the views on the screen are older than the counters. */
  stale = signal(false);
  memory = signal<Record<number, Entry[]>>({});
  losses = new Map<number, Losses>();
  compiling = signal<Record<number, string>>({});
  findings = signal<Finding[]>([]);
  toasts = signal<Toast[]>([]);
  stories = signal<{ story: Story; choice: Choice }[]>([]);
  waiting = signal<number | null>(null);
  surface = signal<Message | null>(null);
  keeper = new Keeper();
  /** Which of the wrong rows is looked at, in words. */
  worst = signal("");
  /** What was asked for and is not compiled yet, by network and place: shown as if it were so. */
  awaited = signal<Record<string, number | string>>({});
  private lastAhead = "";
  private retelling: Retelling;
  /** How many times each network was described. */
  private descriptions = signal<Record<number, number>>({});
  private speedometer = { drawn: 0, delays: [] as number[] };
  lesson = signal<Lesson | null>(null);
  lessonStep = signal(0);
  /** The weight, neuron, bias ... that the story tells of. */
  chosen = signal<Choice | null>(null);
  wave = signal<Wave | null>(null);
  /** Weights before the update that was stepped last, so that it can be shown as old -> new. */
  before = signal<Map<string, Block> | null>(null);
  /** Parts of the page that the reader has switched off. */
  hidden: Signal<Record<string, boolean>> = signal({});
  /** How many mounted parts need each view. */
  private wanted = signal<Record<string, number>>({});
  private greeted = signal(0);

  look = computed(() => this.state.value.look);
  told = computed(() => this.stories.value.at(-1) ?? null);
  /** Which of two networks side by side the panels and buttons are about. */
  chosenLane = signal(0);
  lane = computed(() => {
    const lanes = this.lanes.value;
    return lanes.includes(this.chosenLane.value) ? this.chosenLane.value : (lanes[0] ?? 0);
  });

  private pending: Message[] = [];
  private ids = 0;
  private drawing = false;

  constructor(public link: Link) {
    link.on("status", (status) => {
      this.status.value = status;
    });
    link.on("message", (bytes) => {
      const message = unpack(bytes);
      if (link.files && bytes instanceof ArrayBuffer) this.keeper.hear(message.head, bytes);
      this.receive(message);
    });
    this.watchViews();
    this.retelling = new Retelling(this);
  }

  /** " of A" where there are two networks. */
  get ofLane(): string {
    const lanes = this.lanes.value;
    return lanes.length > 1 ? ` of ${"AB"[lanes.indexOf(this.lane.value)]}` : "";
  }

  send(command: Command): void {
    // what was found out holds until the network moves on
    if (!KEEP_WORST.has(command.type)) this.worst.value = "";
    this.link.send(command);
    if (!this.link.slow || !ANSWERED.has(command.type)) return;
    clearTimeout(this.patience);
    this.patience = setTimeout(() => (this.slow.value = true), SLOW_MS);
  }

  /** Send a change that has to be compiled, and show its value at once. */
  change(lane: number, place: string, value: number | string, command: Command): void {
    this.awaited.value = { ...this.awaited.value, [`${lane}/${place}`]: value };
    this.send({ ...command, lane });
  }

  awaitedAt<T extends number | string>(lane: number, place: string, now: T): T {
    return (this.awaited.value[`${lane}/${place}`] as T | undefined) ?? now;
  }

  lookAt(part: Partial<Look>): void {
    this.send({ type: "look", ...part }); // before whatever is asked about it
    // shown at once; the session's answer replaces it
    this.state.value = { ...this.state.value, look: { ...this.look.value, ...part } };
    if (part.row !== undefined) this.worst.value = "";
  }

  /** Ask for the story of what was clicked. */
  click(what: string, path = "", index: number[] = []): void {
    if (this.link.recorded) return;
    const choice = { what, path, index };
    this.chosen.value = choice;
    this.waiting.value = this.ask(this.lane.value, choice);
  }

  /** Send a question, without waiting for its story; its id. */
  ask(lane: number, { what, path, index }: Choice): number {
    const id = ++this.ids;
    const asked = what === "bias" ? "weight" : what; // both are elements of a parameter
    this.send({ type: "click", id, lane, what: asked, path, index });
    return id;
  }

  /** Which changes a network has gone through: the last one in its memory, and its descriptions. */
  changes(lane: number): string {
    const entries = this.memory.value[lane] ?? [];
    const now = entries.findIndex((entry) => entry[5]);
    const change = entries.slice(0, now + 1).findLast((entry) => entry[4]);
    return `${change?.[0] ?? ""} ${this.descriptions.value[lane] ?? 0}`;
  }

  /** The pointer is at a button: what it would ask for is compiled, once. */
  ahead(change: Record<string, unknown>): void {
    const key = JSON.stringify(change);
    if (this.link.recorded || key === this.lastAhead) return;
    this.lastAhead = key;
    this.send({ type: "ahead", change });
  }

  closeStory(): void {
    batch(() => {
      this.stories.value = [];
      this.chosen.value = null;
      this.waiting.value = null;
    });
  }

  backToStory(): void {
    batch(() => {
      this.stories.value = this.stories.value.slice(0, -1);
      this.chosen.value = this.told.value?.choice ?? null;
    });
  }

  toast(text: string, expected?: string, fix?: string): void {
    const toast = { id: ++this.ids, text, expected, fix };
    const others = this.toasts.value.filter((one) => one.text !== text);
    this.toasts.value = [...others.slice(-2), toast];
  }

  step(unit: "epoch" | "batch" | "forward" | "backward" | "update"): void {
    const lane = this.lane.value;
    if (unit === "update" || unit === "batch") this.before.value = this.frame.value?.blocks ?? null;
    if (unit === "forward" || unit === "backward" || unit === "update") {
      this.wave.value = { kind: unit, began: -1, lane };
    }
    this.send({ type: "step", unit, count: 1 });
  }

  progress(lane: number) {
    return this.frame.value?.head.lanes?.find((one) => one.lane === lane) ?? null;
  }

  /** Array of a view in the newest frame. */
  block(lane: number, name: string): Block | null {
    return this.frame.value?.blocks.get(`${lane}/${name}`) ?? null;
  }

  /** What a view says of its arrays; it may differ between lanes. */
  about(lane: number, view: string): any {
    return this.progress(lane)?.views?.[view] ?? null;
  }

  lossesOf(lane: number): Losses {
    let found = this.losses.get(lane);
    if (!found) this.losses.set(lane, (found = new Losses()));
    return found;
  }

  private receive(message: Message): void {
    const { head } = message;
    const handle = this.handlers[head.type as keyof typeof this.handlers];
    if (head.type === "frame") this.queue(message);
    else if (handle) batch(() => handle(head, message));
  }

  private handlers: Record<string, (head: any, message: Message) => void> = {
    hello: (head) => {
      this.subject.value = head.subject;
      this.options.value = head.options;
      this.state.value = { ...this.state.value, ...head.state };
      this.info.value = Object.fromEntries(head.lanes.map((one: LaneInfo) => [one.lane, one]));
      this.lanes.value = head.lanes.map((one: LaneInfo) => one.lane);
      this.compiling.value = {};
      this.awaited.value = {};
      this.waiting.value = null;
      this.greeted.value++;
      this.retelling.forget();
      this.findings.value = head.findings ?? [];
      // a lesson leads a network; in a recording there is none
      if (head.lesson && !this.link.recorded) this.lesson.value = head.lesson;
      const memory = Array.isArray(head.memory) ? head.memory : [head.memory];
      for (const one of memory) if (one?.entries) this.remember(one.lane ?? 0, one.entries);
    },
    state: ({ type, arrays, ...state }) => {
      clearTimeout(this.patience);
      this.slow.value = false;
      this.state.value = { ...this.state.value, ...state };
    },
    lane: (head) => {
      this.info.value = { ...this.info.value, [head.lane]: head };
      const described = this.descriptions.value;
      this.descriptions.value = { ...described, [head.lane]: (described[head.lane] ?? 0) + 1 };
      if (!this.lanes.value.includes(head.lane)) this.lanes.value = [...this.lanes.value, head.lane];
    },
    lanes: (head) => {
      this.lanes.value = head.lanes;
      this.findings.value = this.findings.value.filter((one) => head.lanes.includes(one.lane));
      for (const lane of this.losses.keys()) if (!head.lanes.includes(lane)) this.losses.delete(lane);
    },
    story: (head) => {
      if (this.retelling.take(head)) return;
      // an older answer that comes after a newer click is not what the reader asked for last
      if (this.waiting.value !== null && head.id < this.waiting.value) return;
      this.waiting.value = null;
      const asked = this.chosen.value;
      const same = asked?.path === head.path && asked?.index.join() === head.index?.join();
      const choice = same ? asked! : { what: head.what, path: head.path, index: head.index ?? [] };
      this.chosen.value = choice;
      this.stories.value = [...this.stories.value.slice(1 - MOST_STORIES), { story: head, choice }];
    },
    finding: (head) => {
      // one that holds on stays in its place, with its new numbers
      const all = this.findings.value;
      const at = all.findIndex((one) => one.lane === head.lane && one.id === head.id);
      this.findings.value = at < 0 ? [...all, head] : all.with(at, head);
    },
    finding_gone: ({ lane, id }) => {
      this.findings.value = this.findings.value.filter((one) => one.lane !== lane || one.id !== id);
    },
    worst: (head) => {
      const examples = this.subject.value?.examples ?? "rows";
      this.worst.value = head.count
        ? `${head.rank} of ${head.count}, worst first`
        : `none of ${head.of} ${head.set} ${examples} is wrong`;
    },
    compiling: (head) => {
      this.compiling.value = { ...this.compiling.value, [head.lane]: head.what };
    },
    ready: (head) => {
      const { [head.lane]: _, ...rest } = this.compiling.value;
      this.compiling.value = rest;
      const others = Object.entries(this.awaited.value).filter(([key]) => !key.startsWith(`${head.lane}/`));
      this.awaited.value = Object.fromEntries(others);
    },
    error: (head) => {
      if (this.retelling.failed(head.of)) return;
      this.awaited.value = {};
      this.waiting.value = null;
      this.toast(head.text, head.expected, head.fix);
    },
    memory: (head) => this.remember(head.lane, head.entries),
    closed: (head) => {
      this.status.value = { kind: "closed", text: head.why };
    },
    surface: (_, message) => {
      this.surface.value = message;
    },
  };

  private remember(lane: number, entries: Entry[]): void {
    this.memory.value = { ...this.memory.value, [lane]: entries };
    this.lossesOf(lane).recall(entries);
  }

  private queue(message: Message): void {
    this.pending.push(message);
    if (this.drawing) return;
    this.drawing = true;
    // a hidden page draws nothing and answers nothing: the session then makes no more frames
    requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.drawing = false;
    const queued = this.pending;
    this.pending = [];
    const newest = queued.at(-1);
    if (!newest) return;
    const began = performance.now();
    batch(() => {
      this.keepViews(newest);
      for (const { lane } of newest.head.lanes ?? []) this.lossesOf(lane).take(lane, newest.blocks);
      this.frame.value = { head: newest.head, blocks: newest.blocks };
      if (newest.head.playing !== undefined && newest.head.playing !== this.state.value.playing)
        this.state.value = { ...this.state.value, playing: newest.head.playing };
      if (this.state.value.phase !== newest.head.phase)
        this.state.value = { ...this.state.value, phase: newest.head.phase };
      const wave = this.wave.value;
      if (wave && wave.began < 0) this.wave.value = { ...wave, began };
    });
    // canvases are painted by now; what Preact renders follows before the next task
    setTimeout(() => {
      const ms = performance.now() - began;
      this.measure(newest.head.made);
      for (const one of queued) this.link.drawn(one.head.n, ms);
    });
  }

  /** For benchmarks: frames on the screen, and the 95th percentile from made to drawn, in ms. */
  private measure(made: number | undefined): void {
    this.speedometer.drawn++;
    if (made === undefined) return;
    const { delays } = this.speedometer;
    delays.push(performance.timeOrigin + performance.now() - 1000 * made);
    if (delays.length > 400) delays.shift();
  }

  /** {drawn, delay} so far. */
  measured(): { drawn: number; delay: number } {
    const sorted = [...this.speedometer.delays].sort((a, b) => a - b);
    return {
      drawn: this.speedometer.drawn,
      delay: sorted[Math.floor(0.95 * sorted.length)] ?? 0,
    };
  }

  /** While a view's program is compiled, frames come without views: the last ones stay, dimmed. */
  private keepViews(newest: Message): void {
    const before = this.frame.peek();
    const compiled = newest.head.lanes?.every(
      (one: LaneProgress) => Object.keys(one.views ?? {}).length || !this.look.peek().views.length,
    );
    this.stale.value = !compiled;
    if (compiled || !before) return;
    for (const one of newest.head.lanes) {
      one.views = before.head.lanes.find(({ lane }) => lane === one.lane)?.views ?? {};
    }
    for (const [name, block] of before.blocks)
      if (!newest.blocks.has(name) && !name.includes("/slopes/")) newest.blocks.set(name, block);
  }

  want(views: string[], by: 1 | -1): void {
    const wanted = { ...this.wanted.peek() };
    for (const view of views) wanted[view] = (wanted[view] ?? 0) + by;
    this.wanted.value = wanted;
  }

  /** What is on the screen is what frames hold; asked for again whenever that changes. */
  private watchViews(): void {
    let last = "";
    effect(() => {
      const known = new Set(Object.values(this.info.value).flatMap((one) => one.views.map((v) => v.name)));
      const views = Object.entries(this.wanted.value)
        .filter(([name, many]) => many > 0 && known.has(name))
        .map(([name]) => name)
        .sort();
      const text = `${this.greeted.value} ${views.join()}`;
      if (this.greeted.value === 0 || text === last) return;
      last = text;
      // the parts that asked are mounted one after the other; the last one's wish is sent
      clearTimeout(this.asking);
      this.asking = setTimeout(() => this.send({ type: "look", views }), 0);
    });
  }

  /** Whether a command has waited long for its answer. */
  slow = signal(false);
  private patience: ReturnType<typeof setTimeout> | undefined;
  private asking: ReturnType<typeof setTimeout> | undefined;
}

/** This part of the page needs these views while it is on the screen. */
export function useViews(...views: string[]): void {
  const store = useStore();
  useEffect(() => {
    store.want(views, 1);
    return () => store.want(views, -1);
  }, [views.join()]);
}

export const StoreContext = createContext<Store>(null as unknown as Store);
export const useStore = () => useContext(StoreContext);
