// How large the gradient is at each parameter, on a log scale, with a word where it matters.

import { number } from "./format";
import { Panel } from "./panel";
import { useStore, useViews } from "./store";

const LOWEST = -9; // powers of ten that the bars span
const HIGHEST = 2;
const VANISHING_RATIO = 1e-3; // of the largest gradient of a weight
const VANISHING = 1e-7;
const EXPLODING = 10;
const MOST = 40;

export function Gradients() {
  const store = useStore();
  const known = store.info.value[store.lane.value]?.views.find((view) => view.name === "gradients");
  if (!known) return null;
  return (
    <Panel name="gradients" title={known.title + store.ofLane} closed>
      <Flow />
    </Panel>
  );
}

function word(mean: number, most: number, path: string): string {
  if (!Number.isFinite(mean)) return "not finite";
  if (path.endsWith("bias")) return ""; // their size says little of how far a gradient reaches
  if (mean > EXPLODING) return "exploding";
  if (mean === 0) return "no gradient";
  if (mean < VANISHING || mean < most * VANISHING_RATIO) return "vanishing";
  return "";
}

function Flow() {
  const store = useStore();
  useViews("gradients");
  const lane = store.lane.value;
  const mean = store.block(lane, "gradients/mean")?.data;
  const relative = store.block(lane, "gradients/relative")?.data;
  const paths: string[] = store.about(lane, "gradients")?.paths ?? [];
  if (!mean) return <p class="soft small">Gradients come with the next step.</p>;
  const weights = [...mean].filter((one, k) => Number.isFinite(one) && !paths[k]?.endsWith("bias"));
  const most = Math.max(0, ...weights);
  const left: number = store.about(lane, "gradients")?.left_out ?? 0;
  return (
    <>
      <p class="soft small">mean |∂L/∂w| of the last batch, from 10⁻⁹ to 100</p>
      <ol class="bars flow">
        {paths.slice(0, MOST).map((path, k) => {
          const value = mean[k]!;
          const said = word(value, most, path);
          const share = (Math.log10(Math.max(value, 1e-30)) - LOWEST) / (HIGHEST - LOWEST);
          return (
            <li key={path} title={relative ? `mean |∂L/∂w| / mean |w| = ${number(relative[k])}` : ""}>
              <span class="label">{path}</span>
              <span class="track">
                <i
                  class={said ? "odd" : ""}
                  style={{ width: `${Math.min(1, Math.max(0, share || 0)) * 100}%` }}
                />
                {said && <em>{said}</em>}
              </span>
              <span class="n" data-number="gradient" data-path={path} data-value={value}>
                {number(value, 3)}
              </span>
            </li>
          );
        })}
      </ol>
      {!store.link.recorded && (
        <div class="buttons">
          <button onClick={() => store.click("flow")}>Explain the flow for this example</button>
        </div>
      )}
      {paths.length + left > MOST && (
        <p class="soft small">and {paths.length + left - MOST} more parameters</p>
      )}
    </>
  );
}
