// Icons as paths in a 16 by 16 box.

const PATHS: Record<string, string> = {
  play: "M4.5 2.6v10.8L13.2 8z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  epoch: "M2.5 3v10L8 8zM8 3v10l5.5-5z",
  batch: "M4 3v10l6-5zM11 3h1.8v10H11z",
  forward: "M2 7.2h8.3L7.2 4.1l1.1-1.1L13.3 8l-5 5-1.1-1.1 3.1-3.1H2z",
  backward: "M14 7.2H5.7l3.1-3.1-1.1-1.1L2.7 8l5 5 1.1-1.1-3.1-3.1H14z",
  update: "M8 2a6 6 0 0 1 5.2 3l1-.6v3.4h-3l1-.7A4.5 4.5 0 1 0 12.3 9.5h1.6A6 6 0 1 1 8 2z",
  close: "M4.1 3 8 6.9 11.9 3 13 4.1 9.1 8l3.9 3.9-1.1 1.1L8 9.1 4.1 13 3 11.9 6.9 8 3 4.1z",
  plus: "M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z",
  minus: "M3 7.2h10v1.6H3z",
  back: "M10.5 2.5 12 4 8 8l4 4-1.5 1.5L5 8z",
  next: "M5.5 2.5 4 4l4 4-4 4 1.5 1.5L11 8z",
  rewind: "M8.5 3v10L3 8zM14 3v10L8.5 8z",
  branch: "M5 2a2 2 0 0 1 .8 3.8v1.4c.6-.4 1.4-.5 2.2-.6 1.3-.2 2.2-.6 2.4-1.3a2 2 0 1 1 1.6.1c-.3 1.8-1.9 2.5-3.8 2.8-1.6.2-2.3.6-2.4 2A2 2 0 1 1 4.2 10V5.8A2 2 0 0 1 5 2z",
  frozen: "M7.2 1.5h1.6v2.1l1.5-.9.8 1.4-2.3 1.3v1.2l1-.6 0-2.7h1.6v1.8l1.9-1.1.8 1.4-1.8 1.1L8.8 8l3.5 1.5 1.8 1.1-.8 1.4-1.9-1.1v1.8H9.8V10l-1-.6v1.2l2.3 1.3-.8 1.4-1.5-.9v2.1H7.2v-2.1l-1.5.9-.8-1.4 2.3-1.3V9.4l-1 .6v2.7H4.6v-1.8L2.7 12l-.8-1.4 1.8-1.1L7.2 8 3.7 6.5 1.9 5.4l.8-1.4 1.9 1.1V3.3h1.6V6l1 .6V5.4L4.9 4.1l.8-1.4 1.5.9z",
  warning: "M8 1.8 15 14H1zM7.2 6v4h1.6V6zm0 5.2v1.5h1.6v-1.5z",
  record: "M8 3.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6z",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name] ?? ""} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}
