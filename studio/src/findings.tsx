// What the doctor found while it trains, the moment it arises.

import { useSignal } from "@preact/signals";
import { LANE_NAMES } from "./curves";
import { number } from "./format";
import { Icon } from "./icons";
import { Notation } from "./notation";
import { useStore, type Store } from "./store";
import type { Finding } from "./wire";

export function Findings() {
  const store = useStore();
  const turned = useSignal<Finding["id"] | null>(null);
  const all = store.findings.value;
  if (!all.length) return null;
  const found = all.findIndex((one) => one.id === turned.value);
  const at = found < 0 ? all.length - 1 : found;
  const finding = all[at]!;
  const lanes = store.lanes.value;
  const drop = () => {
    store.findings.value = all.filter((one) => one !== finding);
  };
  return (
    <section class="findings region-findings" aria-label="Findings" aria-live="polite">
      <Icon name="warning" />
      <div class="finding" data-finding={finding.symptom} key={finding.id}>
        <p>
          <b>
            {lanes.length > 1 && `${LANE_NAMES[lanes.indexOf(finding.lane)]}: `}
            {finding.title}
          </b>
          <Where finding={finding} />{" "}
          <span class="soft">
            <Notation text={finding.text} />
          </span>
        </p>
        <details>
          <summary>
            {finding.prescriptions?.[0] ? `Prescription: ${finding.prescriptions[0]}` : "The numbers behind it"}
          </summary>
          {finding.prescriptions?.slice(1).map((text) => (
            <p class="small" key={text}>
              or: {text}
            </p>
          ))}
          <p class="small measures">
            {finding.numbers?.map(({ what, value, threshold, relation }) => (
              <span key={what}>
                {what}{" "}
                <b data-number="measure" data-value={value}>
                  {number(value)}
                </b>
                {threshold !== null && ` (${relation} ${number(threshold)})`}
              </span>
            ))}
          </p>
        </details>
      </div>
      {all.length > 1 && (
        <span class="turn small">
          <button
            class="tiny"
            aria-label="Earlier finding"
            disabled={at === 0}
            onClick={() => (turned.value = all[at - 1]!.id)}
          >
            <Icon name="back" />
          </button>
          {at + 1} of {all.length}
          <button
            class="tiny"
            aria-label="Later finding"
            disabled={at === all.length - 1}
            onClick={() => (turned.value = all[at + 1]!.id)}
          >
            <Icon name="next" />
          </button>
        </span>
      )}
      {finding.can_try && !store.link.recorded && (
        <button
          data-do="try"
          title={`A second network starts beside: ${finding.tries ?? "with this change"}`}
          onClick={() => store.send({ type: "try_finding", lane: finding.lane, finding: finding.id })}
        >
          <Icon name="branch" />
          Try it beside
        </button>
      )}
      <button class="tiny" aria-label="Dismiss this finding" onClick={drop}>
        <Icon name="close" />
      </button>
    </section>
  );
}

/** The place of a finding; if it is a layer, a click looks into it. */
function Where({ finding }: { finding: Finding }) {
  const store = useStore();
  const { path, lane } = finding;
  const where = finding.where?.replace(/^layer (?=\S+ (and|to) )/, "layers ");
  if (!where) return ":";
  const layer = store.info.value[lane]?.layers.find((one) => one.path === path);
  if (!layer || store.link.recorded) return <span> ({where}):</span>;
  const show = () => {
    store.chosenLane.value = lane;
    if (!store.info.value[lane]!.is_dense) store.lookAt({ layer: layer.path });
    store.click("layer", layer.path);
  };
  return (
    <>
      {" ("}
      <button class="plain link" title="Explain this layer" onClick={show}>
        {where}
      </button>
      ):
    </>
  );
}

/** What was found of one of these layers, as a mark on the drawing. */
export function FindingMark({ lane, paths }: { lane: number; paths: (string | undefined)[] }) {
  const found = findingAt(useStore(), lane, paths);
  if (!found) return null;
  return (
    <span class="finding-mark" role="img" aria-label={found.title} title={`${found.title}: ${found.text}`}>
      <Icon name="warning" />
    </span>
  );
}

function findingAt(store: Store, lane: number, paths: (string | undefined)[]): Finding | undefined {
  return store.findings.value.findLast(
    (one) =>
      one.lane === lane &&
      one.path !== null &&
      paths.some((path) => path && (one.path === path || one.path!.startsWith(`${path}.`))),
  );
}
