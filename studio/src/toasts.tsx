// Errors: what came, what was expected, how to fix it.

import { Icon } from "./icons";
import { useStore } from "./store";

export function Toasts() {
  const store = useStore();
  const drop = (id: number) => {
    store.toasts.value = store.toasts.value.filter((one) => one.id !== id);
  };
  return (
    <div class="toasts" aria-live="assertive">
      {store.toasts.value.map((toast) => (
        <div class="toast" key={toast.id} role="alert">
          <Icon name="warning" />
          <div>
            <p>{toast.text}</p>
            {toast.expected && (
              <p class="soft small">
                <b>expected</b> {toast.expected}
              </p>
            )}
            {toast.fix && (
              <p class="soft small">
                <b>fix</b> {toast.fix}
              </p>
            )}
          </div>
          <button class="tiny" aria-label="Close this message" onClick={() => drop(toast.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
