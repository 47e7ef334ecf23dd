// A network that is no chain of neurons: its layers as blocks, and what each one shows.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { FindingMark } from "./findings";
import { LayerView } from "./layer_views";
import { fill } from "./safe_html";
import { useStore, type Store } from "./store";
import type { LaneInfo, Layer } from "./wire";

const RECURRENT = new Set(["RNN", "LSTM", "GRU"]);
const DIAGRAM = "diagram";

/** The layer that is looked into before the reader has chosen one. */
function firstSeen(info: LaneInfo): Layer | null {
  const seen = info.layers.filter((layer) => layer.views?.length);
  return seen.find((layer) => layer.parameters.length) ?? seen[0] ?? info.layers[0] ?? null;
}

/** The layer whose views the frames of a recording hold. */
function recordedLayer(store: Store, lane: number): string | undefined {
  return Object.values(store.progress(lane)?.views ?? {}).find((about) => about?.layer)?.layer;
}

/** The chosen one of a list that scrolls; the page stays where it is. */
function bringIntoSight(list: HTMLElement): void {
  const chosen = list.querySelector("[aria-pressed=true]")?.getBoundingClientRect();
  const seen = list.getBoundingClientRect();
  if (!chosen) return;
  if (chosen.left < seen.left || chosen.right > seen.right) list.scrollLeft += chosen.left - seen.left - 18;
  if (chosen.top < seen.top || chosen.bottom > seen.bottom) list.scrollTop += chosen.top - seen.top - 18;
}

export function Blocks({ lane, info }: { lane: number; info: LaneInfo }) {
  const store = useStore();
  const live = !store.link.recorded;
  const clicked = useSignal<string | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const wanted = live
    ? store.look.value.layer
    : (clicked.value ?? recordedLayer(store, lane) ?? store.look.value.layer);
  const known = info.layers.find((layer) => layer.path === wanted);
  const selected = known ?? firstSeen(info);
  const isOther = live && selected !== null && !known && store.lane.value === lane;
  useEffect(() => {
    // what is marked is what the session computes, also before the first click
    if (isOther && store.status.peek().kind === "open") store.lookAt({ layer: selected!.path });
  }, [isOther, selected?.path, store.status.value.kind]);
  const choose = (layer: Layer) => {
    if (live) store.lookAt({ layer: layer.path });
    else clicked.value = layer.path;
  };
  useEffect(() => bringIntoSight(list.current!), [selected?.path]);
  return (
    <div class="blocks">
      <ol class="layers" aria-label="Layers" ref={list}>
        {info.layers.map((layer) => (
          <li key={layer.path}>
            <button
              class="block"
              aria-pressed={layer === selected}
              data-layer={layer.path}
              onClick={() => choose(layer)}
            >
              <b>{layer.kind.replace(/([a-z])([A-Z])/g, "$1\u200b$2")}</b>
              <span class="soft small">{layer.path.replaceAll(".", ".\u200b")}</span>
              {layer.views?.length > 0 && <i class="has-views" title="has views" />}
              <FindingMark lane={lane} paths={[layer.path]} />
            </button>
          </li>
        ))}
      </ol>
      {selected && <LayerRoom key={selected.path} lane={lane} info={info} layer={selected} />}
    </div>
  );
}

function LayerRoom({ lane, info, layer }: { lane: number; info: LaneInfo; layer: Layer }) {
  const store = useStore();
  const chosen = useSignal<string | null>(null);
  const titles = Object.fromEntries(info.views.map((view) => [view.name, view.title]));
  // views of layers that have layers inside, which the list does not show, are with every layer
  const listed = new Set(info.layers.flatMap((one) => one.views ?? []));
  const inner = info.views.filter((view) => view.has_layer && !listed.has(view.name));
  const tabs = [
    ...(layer.views ?? []),
    ...inner.map((view) => view.name),
    ...(info.drawing ? [DIAGRAM] : []),
  ];
  const tab = chosen.value && tabs.includes(chosen.value) ? chosen.value : (tabs[0] ?? null);
  const turn = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !tab) return;
    event.preventDefault();
    chosen.value = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length]!;
  };
  return (
    <div class="layer-room region-layer">
      <div class="layer-head">
        <code>{layer.text}</code>
        {!store.link.recorded && (
          <button onClick={() => store.click("layer", layer.path)}>Explain this layer</button>
        )}
      </div>
      {tabs.length > 0 && (
        <div class="tabs" role="tablist" aria-label="Views of this layer" onKeyDown={turn}>
          {tabs.map((name) => (
            <button
              key={name}
              role="tab"
              aria-selected={name === tab}
              tabIndex={name === tab ? 0 : -1}
              onClick={() => (chosen.value = name)}
            >
              {name === DIAGRAM ? "Diagram" : (titles[name] ?? name)}
            </button>
          ))}
        </div>
      )}
      <div class="layer-view" role="tabpanel">
        {tab === DIAGRAM ? (
          <Diagram svg={info.drawing!} />
        ) : tab ? (
          <LayerView lane={lane} path={layer.path} view={tab} />
        ) : (
          <p class="soft">This layer has no view of its own.</p>
        )}
        <Parameters layer={layer} />
      </div>
    </div>
  );
}

function Diagram({ svg }: { svg: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => fill(box.current!, svg), [svg]);
  return <div class="told diagram" ref={box} />;
}

/** One element of a parameter, by its indices: its gradient as a story. */
function Parameters({ layer }: { layer: Layer }) {
  const store = useStore();
  if (!layer.parameters.length || store.link.recorded) return null;
  const ask = (event: SubmitEvent, path: string, shape: number[]) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const index = [...form.querySelectorAll("input")].map((one, k) =>
      Math.min(shape[k]! - 1, Math.max(0, one.valueAsNumber || 0)),
    );
    store.click(RECURRENT.has(layer.kind) ? "through_time" : "weight", path, index);
  };
  return (
    <details class="parameters">
      <summary>Parameters</summary>
      {layer.parameters.map(({ path, shape, trained }) => (
        <form key={path} onSubmit={(event) => ask(event, path, shape)}>
          <code>{path}</code>
          <span class="indices">
            {shape.map((side, k) => (
              <input
                key={k}
                type="number"
                min="0"
                max={side - 1}
                defaultValue="0"
                aria-label={`index ${k + 1} of ${path}, below ${side}`}
                title={`below ${side}`}
              />
            ))}
          </span>
          <button>Explain</button>
          {!trained && <span class="soft small">not trained</span>}
        </form>
      ))}
    </details>
  );
}
