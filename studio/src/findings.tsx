// What the doctor found while it trains, the moment it arises.

import { useSignal } from "@preact/signals";
import { LANE_NAMES } from "./curves";
import { clamp, number } from "./format";
import { Icon } from "./icons";
import { useStore } from "./store";

export function Findings() {
  const store = useStore();
  const turned = useSignal<number | null>(null);
  const all = store.findings.value;
  if (!all.length) return null;
  const at = clamp(turned.value ?? all.length - 1, 0, all.length - 1);
  const finding = all[at]!;
  const several = store.lanes.value.length > 1;
  const drop = () => {
    store.findings.value = all.filter((one) => one !== finding);
    turned.value = null;
  };
  return (
    <section class="findings region-findings" aria-label="Findings" aria-live="polite">
      <Icon name="warning" />
      <div class="finding">
        <p>
          <b>
            {several && `${LANE_NAMES[store.lanes.value.indexOf(finding.lane)]}: `}
            {finding.title}
          </b>{" "}
          <span class="soft">{finding.text}</span>
        </p>
        <p class="small numbers">
          {(finding.numbers ?? []).map((one) => (
            <span key={one.what} data-number="finding" data-value={one.value ?? ""}>
              {one.what} <b>{number(one.value)}</b>
              {one.threshold !== null && one.threshold !== undefined && (
                <span class="soft">
                  {" "}
                  ({one.relation} {number(one.threshold)})
                </span>
              )}
            </span>
          ))}
        </p>
        {(finding.tries ?? finding.prescriptions?.[0]) && (
          <p class="small">{finding.tries ?? finding.prescriptions![0]}</p>
        )}
      </div>
      {all.length > 1 && (
        <span class="turn small">
          <button class="tiny" aria-label="Earlier finding" disabled={at === 0} onClick={() => (turned.value = at - 1)}>
            <Icon name="back" />
          </button>
          {at + 1} of {all.length}
          <button
            class="tiny"
            aria-label="Later finding"
            disabled={at === all.length - 1}
            onClick={() => (turned.value = at + 1)}
          >
            <Icon name="next" />
          </button>
        </span>
      )}
      {finding.can_try && !store.link.recorded && (
        <button
          data-do="try"
          title="A second network starts beside with this change"
          onClick={() =>
            store.send({ type: "try_finding", lane: finding.lane, finding: finding.id })
          }
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
