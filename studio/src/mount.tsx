// One studio in one element: the page has one, a notebook may have several.

import { render } from "preact";
import { App } from "./app";
import { dark } from "./color";
import { Store, StoreContext } from "./store";
import type { Link } from "./wire";

/** Draw the studio into `element`; returns what it knows, and what takes it away again. */
export function mount(element: HTMLElement, link: Link): { store: Store; unmount: () => void } {
  const store = new Store(link);
  element.classList.add("cutaway-studio");
  const follow = () => element.classList.toggle("dark", dark.matches);
  follow();
  const unfollow = dark.watch(follow);
  render(
    <StoreContext.Provider value={store}>
      <App />
    </StoreContext.Provider>,
    element,
  );
  // asked by benchmarks; a listener costs nothing while nobody asks
  element.addEventListener("measure", () => {
    const { drawn, delay } = store.measured();
    element.dataset.drawn = String(drawn);
    element.dataset.delay = String(delay);
  });
  const unmount = () => {
    unfollow();
    render(null, element);
  };
  return { store, unmount };
}
