// A part of the page with a heading that switches it on and off: what is off is not computed.

import type { ComponentChildren } from "preact";
import { useStore } from "./store";

type PanelProps = {
  name: string;
  title: string;
  children: ComponentChildren;
  tools?: ComponentChildren;
  /** Closed until the reader opens it. */
  closed?: boolean;
};

export function Panel({ name, title, children, tools, closed }: PanelProps) {
  const store = useStore();
  const hidden = store.hidden.value[name] ?? closed ?? false;
  const toggle = () => {
    store.hidden.value = { ...store.hidden.value, [name]: !hidden };
  };
  return (
    <section class={`panel region-${name}`} data-panel={name}>
      <div class="panel-head">
        <h2>
          <button class="plain fold" aria-expanded={!hidden} onClick={toggle}>
            {title}
          </button>
        </h2>
        {!hidden && tools}
      </div>
      {!hidden && children}
    </section>
  );
}
