// What stands above a layer of neurons: how many they are, their activation, and layers between.

import { FindingMark } from "./findings";
import { px } from "./format";
import { useStore } from "./store";
import type { Column } from "./dense_geometry";
import { Icon } from "./icons";

export function ColumnHead(props: { column: Column; lane: number; at: number; last: number }) {
  const { column, lane, at, last } = props;
  const store = useStore();
  const { layer } = column;
  const name = at === 0 ? "Input" : at === last ? "Output" : `Hidden ${at}`;
  const live = !store.link.recorded;
  const most = store.options.value.most_units ?? 256;
  const place = `units/${column.key}`;
  const count = store.awaitedAt(lane, place, column.units);
  const change = (by: number) => ({ type: "units", lane, path: column.key, count: count + by });
  const units = (by: number) => store.change(lane, place, count + by, change(by));
  const ahead = (by: number) => () => store.ahead(change(by));
  return (
    <div class="column-head" style={{ left: px(column.x) }}>
      <div class="column-name">
        <FindingMark lane={lane} paths={[layer?.path, column.activation?.path]} />
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
            disabled={count <= 1}
            onPointerEnter={ahead(-1)}
            onFocus={ahead(-1)}
            onClick={() => units(-1)}
          >
            <Icon name="minus" />
          </button>
        )}
        <span data-number="units" data-path={column.key} data-value={column.units}>
          {count}
        </span>
        {live && layer?.can.units && (
          <button
            class="tiny"
            aria-label={`One unit more in ${name}`}
            disabled={count >= most}
            onPointerEnter={ahead(1)}
            onFocus={ahead(1)}
            onClick={() => units(1)}
          >
            <Icon name="plus" />
          </button>
        )}
      </div>
      {layer && <Activation column={column} lane={lane} name={name} />}
    </div>
  );
}

function Activation({ column, lane, name }: { column: Column; lane: number; name: string }) {
  const store = useStore();
  const { activation } = column;
  if (!activation?.can.activation || store.link.recorded)
    return <span class="soft small">{activation?.activation ?? "linear"}</span>;
  const place = `activation/${activation.path}`;
  return (
    <select
      class="quiet"
      aria-label={`Activation of ${name}`}
      value={store.awaitedAt(lane, place, activation.activation!)}
      onChange={(event) => {
        const name = event.currentTarget.value;
        store.change(lane, place, name, { type: "activation", path: activation.path, name });
      }}
    >
      {choices(store.options.value.activations, activation.activation!).map((one) => (
        <option key={one} value={one}>
          {one.replaceAll("_", " ")}
        </option>
      ))}
    </select>
  );
}

function choices(known: string[], now: string): string[] {
  return known.includes(now) ? known : [now, ...known];
}

/** Between two columns: a new layer may go there, as wide as the one before, which keeps outputs. */
export function GapHead({ lane, after, x }: { lane: number; after: Column; x: number }) {
  const store = useStore();
  if (store.link.recorded || !after.activation) return null;
  const { activation } = after;
  return (
    <button
      class="tiny add-layer"
      style={{ left: px(x) }}
      aria-label={`Add a layer after ${after.key}`}
      title="Add a layer here"
      onClick={() =>
        store.send({
          type: "add_layer",
          lane,
          after: activation.path,
          units: after.units,
          activation: activation.activation,
        })
      }
    >
      <Icon name="plus" />
    </button>
  );
}
