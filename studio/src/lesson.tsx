// A lesson: a card with a text for each step, which sets the studio up and points at a part of it.

import { useEffect, useRef } from "preact/hooks";
import { useStore } from "./store";

export function LessonCard() {
  const store = useStore();
  const card = useRef<HTMLElement>(null);
  const lesson = store.lesson.value;
  const at = store.lessonStep.value;
  const step = lesson?.steps[at];

  useEffect(() => {
    if (!step) return;
    for (const command of step.commands ?? []) store.send(command);
    if (step.look) store.lookAt(step.look);
  }, [lesson, at]);

  useEffect(() => {
    const name = step?.highlight;
    const room = card.current?.closest(".room");
    if (!name || !room) return;
    // the class is one of this page's own regions, but it is text from a lesson's file
    const found = room.querySelectorAll(`.region-${CSS.escape(name)}`);
    const lit = found.length ? found : room.querySelectorAll(`.${CSS.escape(name)}`);
    for (const one of lit) one.classList.add("pointed");
    lit[0]?.scrollIntoView({ block: "nearest", behavior: "auto" });
    return () => {
      for (const one of lit) one.classList.remove("pointed");
    };
  }, [lesson, at, store.subject.value]);

  if (!lesson || !step) return null;
  const go = (by: number) => (store.lessonStep.value = at + by);
  const last = at === lesson.steps.length - 1;
  return (
    <section class="lesson" ref={card} aria-label={`Lesson: ${lesson.title}`} aria-live="polite">
      <p class="soft small">
        {lesson.title} · {at + 1} of {lesson.steps.length}
      </p>
      <p>{step.text}</p>
      <div class="buttons">
        <button disabled={at === 0} onClick={() => go(-1)}>
          Back
        </button>
        <button class={last ? "" : "primary"} onClick={() => (last ? (store.lesson.value = null) : go(1))}>
          {last ? "Close" : "Next"}
        </button>
      </div>
    </section>
  );
}
