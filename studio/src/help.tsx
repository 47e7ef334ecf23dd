// The keys, for those who look for them.

const KEYS = [
  ["Space", "play or pause"],
  ["→", "one batch"],
  ["Shift →", "one epoch"],
  ["←", "back to the state before"],
  ["F  B  U", "forward, backward, update"],
  ["Esc", "close the explanation"],
] as const;

export function Help() {
  return (
    <details class="help">
      <summary aria-label="Keys" title="Keys">
        ?
      </summary>
      <dl>
        {KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
        <p class="soft small">
          Click any neuron, weight, bias or number to see its arithmetic. Blue and solid is positive,
          orange and dashed is negative.
        </p>
      </dl>
    </details>
  );
}
