// What travels between the session (Python) and the page, and how a message is unpacked.

export type Look = {
  views: string[];
  layer: string | null;
  row: number; // within its set
  set: "training" | "validation";
  columns: [number, number];
  others: "mean" | "row";
  output: number | null;
  head: number | null;
};

export type InputColumn = { name: string; low: number; high: number; mean: number; unit?: string };

export type Subject = {
  title: string;
  kind: string;
  task: string;
  target: string;
  classes: string[] | null;
  examples: string;
  training: number;
  validation: number;
  inputs: InputColumn[] | null;
};

export type Options = {
  activations: string[];
  optimizers: { name: string; numbers: string[] }[];
  initializers: string[];
  most_units: number;
};

export type State = {
  playing: boolean;
  speed: { unit: "epochs" | "steps"; per_second: number | null };
  look: Look;
  phase: null | "forward" | "backward";
  noise: number;
  batch_size: number;
};

export type Layer = {
  path: string;
  kind: string;
  text: string;
  inputs: number | null;
  units: number | null;
  activation: string | null;
  parameters: { path: string; shape: number[]; trained: boolean }[];
  can: { units: boolean; activation: boolean; remove: boolean };
  views: string[];
};

export type LaneInfo = {
  lane: number;
  title: string;
  parameters: number;
  loss: string;
  layers: Layer[];
  is_dense: boolean;
  drawing: string | null;
  views: { name: string; title: string; has_layer: boolean; has_row: boolean }[];
  optimizer: { name: string; text: string; numbers: Record<string, number | number[] | null> };
  frozen: (string | { path: string; index: number[] | null })[];
};

export type LaneProgress = {
  lane: number;
  step: number;
  epoch: number;
  of_epoch: [number, number];
  loss: number | null;
  validation: Record<string, number> | null;
  rate: number;
  lr: number;
  /** What each view says of its arrays. */
  views: Record<string, any>;
  /** Of the batch of the next step, while its parts are shown one by one. */
  next?: { rows: number[]; loss: number };
};

export type Entry = [
  id: number,
  step: number,
  epoch: number,
  loss: number | null,
  change: string,
  now: boolean,
];

export type Finding = {
  lane: number;
  id: number;
  symptom: string;
  title: string;
  text: string;
  numbers: { what: string; value: number; threshold: number | null; relation: string }[];
  where: string | null;
  path: string | null;
  prescriptions: string[];
  can_try: boolean;
  /** What a copy beside would try, in words. */
  tries: string | null;
};

export type Lit = { path: string; index: number[]; share: number };

export type Story = {
  id: number;
  lane: number;
  step: number;
  what: string;
  path: string;
  index: number[];
  title: string;
  html: string;
  text: string;
  lit: Lit[];
  numbers: Record<string, number>;
};

export type Command = { type: string; [field: string]: unknown };

export type LessonStep = {
  text: string;
  commands?: Command[];
  look?: Partial<Look>;
  highlight?: string | null;
};
export type Lesson = { title: string; steps: LessonStep[] };

export type Frame = {
  n: number;
  at: number;
  playing: boolean;
  phase: State["phase"];
  lanes: LaneProgress[];
};

export type Numbers = Float32Array | Int32Array | Int16Array | Uint8Array;
export type Block = { data: Numbers; shape: number[] };
export type Message = { head: any; blocks: Map<string, Block> };

const KINDS = { u1: Uint8Array, f4: Float32Array, i4: Int32Array, i2: Int16Array } as const;

/** The JSON of a message: [u32 length][JSON][padding to 8][arrays, each padded to 8]. */
export function headOf(view: DataView): any {
  const length = view.getUint32(0, true);
  const json = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset + 4, length);
  return JSON.parse(new TextDecoder().decode(json));
}

/** Where the arrays of a message are, in bytes from the beginning of its buffer. */
export function arraysOf(view: DataView, head: any) {
  const begin = view.byteOffset + Math.ceil((4 + view.getUint32(0, true)) / 8) * 8;
  return (head.arrays ?? []).map(([name, kind, shape, offset]: [string, keyof typeof KINDS, number[], number]) => {
    const size = shape.reduce((product, side) => product * side, 1);
    return { name, kind, shape, size, start: begin + offset, bytes: size * KINDS[kind].BYTES_PER_ELEMENT };
  }) as { name: string; kind: keyof typeof KINDS; shape: number[]; size: number; start: number; bytes: number }[];
}

export function unpack(data: ArrayBuffer | DataView): Message {
  let view = data instanceof DataView ? data : new DataView(data);
  if (view.byteOffset % 8) {
    // typed arrays need alignment, and a notebook's buffers may begin anywhere
    const copy = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    view = new DataView(copy as ArrayBuffer);
  }
  const head = headOf(view);
  const blocks = new Map<string, Block>();
  for (const { name, kind, shape, size, start } of arraysOf(view, head))
    blocks.set(name, { data: new KINDS[kind](view.buffer as ArrayBuffer, start, size), shape });
  return { head, blocks };
}

/** How the page talks to its session; a WebSocket, a notebook's model, or a recording. */
export type Link = {
  send(command: Command): void;
  on(event: "message", handle: (message: ArrayBuffer | DataView) => void): void;
  on(event: "status", handle: (status: Status) => void): void;
  /** Called when a frame is on the screen; each way of transport has its own answer. */
  drawn(n: number, ms: number): void;
  /** Shown when a command has no answer for two seconds. */
  slow?: string;
  /** What no Python behind the page can do is hidden. */
  recorded?: Recording;
  /** The page's own script and style, for a recording of one file. */
  files?: () => Promise<{ script: string; style: string }>;
};

export type Status = { kind: "connecting" | "open" | "lost" | "closed"; text: string };

export type Recording = {
  frames: { value: number };
  at: { value: number };
  playing: { value: boolean };
  seek(frame: number): void;
  toggle(): void;
};
