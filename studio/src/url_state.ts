// What the reader has set, as a short text for the address: the same studio can be opened again.

import { effect } from "@preact/signals";
import { columnsOf } from "./dense_geometry";
import type { Store } from "./store";
import type { Command, LaneInfo, Look, State } from "./wire";

export type Setting = {
  hidden?: [units: number, activation: string | null][]; // of the hidden layers
  optimizer?: string;
  numbers?: Record<string, number | number[] | null>;
  speed?: State["speed"];
  look?: Partial<Pick<Look, "columns" | "others" | "layer">>;
  closed?: Record<string, boolean>;
};

const MOST_COMMANDS = 60;

/** What is set now. */
export function stateOf(store: Store): Setting {
  const info = store.info.value[store.lane.value];
  const { speed, look } = store.state.value;
  return {
    hidden: info?.is_dense ? hiddenOf(info) : undefined,
    optimizer: info?.optimizer.name,
    numbers: info?.optimizer.numbers,
    speed,
    look: { columns: look.columns, others: look.others, layer: look.layer },
    closed: store.hidden.value,
  };
}

function hiddenOf(info: LaneInfo): [number, string | null][] {
  return columnsOf(info)
    .slice(1, -1)
    .map((column) => [column.units, column.activation?.activation ?? null]);
}

/** The next command on the way to a setting; layers have new paths after each change. */
export function nextCommand(info: LaneInfo, setting: Setting): Command | null {
  const lane = info.lane;
  const columns = columnsOf(info);
  const wanted = info.is_dense ? setting.hidden : undefined;
  if (wanted) {
    const now = columns.slice(1, -1);
    if (now.length > wanted.length) return { type: "remove_layer", lane, path: now.at(-1)!.key };
    if (now.length < wanted.length) {
      const after = now.at(-1)?.activation;
      const [units, activation] = wanted[now.length]!;
      if (!after || !activation) return null; // there is no layer to add it after
      return { type: "add_layer", lane, after: after.path, units, activation };
    }
    for (let k = 0; k < now.length; k++) {
      const [units, activation] = wanted[k]!;
      const { key, layer, activation: after } = now[k]!;
      if (layer!.units !== units) return { type: "units", lane, path: key, count: units };
      if (after && activation && after.activation !== activation)
        return { type: "activation", lane, path: after.path, name: activation };
    }
  }
  if (setting.optimizer && setting.optimizer !== info.optimizer.name)
    return { type: "optimizer", lane, name: setting.optimizer };
  for (const [name, value] of Object.entries(setting.numbers ?? {}))
    if (value !== null && name in info.optimizer.numbers && !near(info.optimizer.numbers[name], value))
      return { type: "number", lane, name, value };
  return null;
}

function near(now: number | number[] | null | undefined, wanted: number | number[]): boolean {
  const [a, b] = [[now ?? 0].flat(), [wanted].flat()];
  return a.every((one, k) => Math.abs(one - b[k]!) <= 1e-6 * Math.max(Math.abs(one), Math.abs(b[k]!)));
}

/** Bring the studio to a setting, one change after the other. */
export function apply(store: Store, setting: Setting): void {
  if (setting.speed) store.send({ type: "speed", ...setting.speed });
  if (setting.look) store.lookAt(setting.look);
  if (setting.closed) store.hidden.value = setting.closed;
  let left = MOST_COMMANDS;
  let last = "";
  let done: (() => void) | undefined;
  const advance = () => {
    const info = store.info.value[store.lane.value];
    if (!info) return;
    const command = nextCommand(info, setting);
    const text = JSON.stringify(command);
    // the same command twice: the session has refused it, and its message is on the screen
    if (!command || text === last || left-- <= 0) queueMicrotask(() => done?.());
    else {
      last = text;
      store.send(command);
    }
  };
  done = effect(advance);
}

export function encode(setting: Setting): string {
  const bytes = new TextEncoder().encode(JSON.stringify(setting));
  return btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (c) => ({ "+": "-", "/": "_" })[c] ?? "");
}

export function decode(text: string): Setting | null {
  try {
    const bytes = atob(text.replace(/[-_]/g, (c) => (c === "-" ? "+" : "/")));
    const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
    return found && typeof found === "object" ? found : null;
  } catch {
    return null;
  }
}

/** The address follows what is set, and an address that says it is obeyed once. */
export function keepInAddress(store: Store): void {
  const given = decode(new URLSearchParams(location.hash.slice(1)).get("s") ?? "");
  let applied = given === null;
  let first: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  effect(() => {
    if (!store.subject.value) return;
    if (!applied) {
      applied = true;
      setTimeout(() => apply(store, given!), 0);
      return;
    }
    const text = encode(stateOf(store));
    first ??= text;
    if (text === first && !location.hash) return; // nothing was changed: the address stays short
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(null, "", `#s=${text}`), 400);
  });
}
