// What stands above a layer of neurons: how many they are, their activation, and layers between.

import { px } from "./format";
import { useStore } from "./store";
import type { Column } from "./dense_geometry";
import { Icon } from "./icons";

export function ColumnHead(props: { column: Column; lane: number; at: number; last: number }) {
  const { column, lane, at, last } = props;
  const store = useStore();
  const options = store.options.value;
  const { layer } = column;
  const name = at === 0 ? "Input" : at === last ? "Output" : `Hidden ${at}`;
  const live = !store.link.recorded;
  const most = options.units?.most ?? 256;
  const units = (by: number) =>
    store.send({ type: "units", lane, path: column.key, count: column.units + by });
  return (
    <div class="column-head" style={{ left: px(column.x) }}>
      <div class="column-name">
        <button class="plain" disabled={!layer} onClick={() => layer && store.click("layer", layer.path)} title={layer?.text ?? ""}>
          {name}
        </button>
        {live && layer?.can.remove && (
          <button
            class="tiny"
            aria-label={`Remove layer ${column.key}`}
            title="Remove this layer"
            onClick={() => store.send({ type: "remove_layer", lane, path: column.key })}
          >
            <Icon name="close" />
          </button>
        )}
      </div>
      <div class="units">
        {live && layer?.can.units && (
          <button
            class="tiny"
            aria-label={`One unit fewer in ${name}`}
            disabled={column.units <= 1}
            onClick={() => units(-1)}
          >
            <Icon name="minus" />
          </button>
        )}
        <span data-number="units" data-path={column.key} data-value={column.units}>
          {column.units}
        </span>
        {live && layer?.can.units && (
          <button
            class="tiny"
            aria-label={`One unit more in ${name}`}
            disabled={column.units >= most}
            onClick={() => units(1)}
          >
            <Icon name="plus" />
          </button>
        )}
      </div>
      {layer && (layer.can.activation && live ? (
        <select
          class="quiet"
          aria-label={`Activation of ${name}`}
          value={layer.activation ?? "none"}
          onChange={(event) =>
            store.send({
              type: "activation",
              lane,
              path: column.key,
              name: event.currentTarget.value === "none" ? null : event.currentTarget.value,
            })
          }
        >
          {choices(options.activations, layer.activation).map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      ) : (
        <span class="soft small">{layer.activation ?? "linear"}</span>
      ))}
    </div>
  );
}

function choices(known: string[], now: string | null): string[] {
  const current = now ?? "none";
  return known.includes(current) ? known : [current, ...known];
}

/** Between two columns: a new layer may go there. */
export function GapHead({ lane, after, x }: { lane: number; after: Column; x: number }) {
  const store = useStore();
  if (store.link.recorded) return null;
  const path = after.layer ? (after.layer.activation_path ?? after.layer.path) : null;
  return (
    <button
      class="tiny add-layer"
      style={{ left: px(x) }}
      aria-label={after.layer ? `Add a layer after ${after.key}` : "Add a layer after the input"}
      title="Add a layer here"
      onClick={() => store.send({ type: "add_layer", lane, after: path, units: 4, activation: "tanh" })}
    >
      <Icon name="plus" />
    </button>
  );
}
