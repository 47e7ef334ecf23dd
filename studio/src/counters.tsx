// Where a training is: epoch, step, loss, score, steps per second.

import { useComputed } from "@preact/signals";
import { count, number, rate, words } from "./format";
import { useStore } from "./store";

export function Counters({ lane }: { lane: number }) {
  const store = useStore();
  const now = useComputed(() => {
    void store.frame.value;
    return store.progress(lane);
  });
  const score = useComputed(() => {
    const scores = now.value?.validation;
    const name = scores && (Object.keys(scores).find((key) => !key.startsWith("loss")) ?? "loss");
    if (!scores || !name) return null;
    return { name: words(name), value: scores[name]! };
  });
  const within = useComputed(() => {
    const of = now.value?.of_epoch;
    return of ? `batch ${of[0]} of ${of[1]}` : "";
  });
  return (
    <dl class="counters" aria-label="Progress">
      <Counter name="epoch" text="epoch" value={now.value?.epoch} shown={count} title={within.value} />
      <Counter name="step" text="step" value={now.value?.step} shown={count} />
      <Counter
        name="loss"
        text="loss"
        value={now.value?.loss}
        shown={number}
        title="Explain the loss of this example"
        onClick={store.link.recorded ? undefined : () => store.click("loss")}
      />
      {score.value && (
        <Counter
          name="score"
          text={`val. ${score.value.name}`}
          title={`${score.value.name} on the validation rows`}
          value={score.value.value}
          shown={number}
        />
      )}
      <Counter name="rate" text="steps/s" value={now.value?.rate} shown={rate} />
    </dl>
  );
}

type CounterProps = {
  name: string;
  text: string;
  value: number | null | undefined;
  shown: (value: number) => string;
  title?: string;
  onClick?: () => void;
};

function Counter({ name, text, value, shown, title, onClick }: CounterProps) {
  const said = value === null || value === undefined ? "–" : shown(value);
  return (
    <div class={`counter is-${name}`} title={title}>
      <dt>{text}</dt>
      <dd data-number={name} data-value={value ?? ""}>
        {onClick ? (
          <button class="plain" aria-label={`${text} ${said}. ${title}`} onClick={onClick}>
            {said}
          </button>
        ) : (
          said
        )}
      </dd>
    </div>
  );
}
