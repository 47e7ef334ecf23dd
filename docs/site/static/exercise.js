// Fields of exercises: an answer is compared with the number, then with the usual mistakes.
const agree = (a, b, tolerance) =>
  Math.abs(a - b) <= Math.max(tolerance * Math.max(Math.abs(a), Math.abs(b)), 1e-12);

const parsed = (text) => Number(text.trim().replace("−", "-").replace(",", "."));

function verdict(answer, blank) {
  if (agree(answer, blank.value, blank.tolerance)) return [true, "Right."];
  for (const [value, says] of blank.mistakes)
    if (agree(answer, value, blank.tolerance)) return [false, `Not yet: ${says}.`];
  if (agree(answer, blank.value, blank.close))
    return [false, "Close: carry more digits and round at the end."];
  return [false, `Not yet. ${blank.hint}`];
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".course-exercise")) return;
  event.preventDefault();
  for (const field of event.target.querySelectorAll("input")) {
    const output = field.parentElement.querySelector("output");
    if (!field.value.trim()) { output.textContent = ""; continue; }
    const answer = parsed(field.value);
    const [right, says] = Number.isFinite(answer)
      ? verdict(answer, JSON.parse(field.dataset.blank))
      : [false, `"${field.value}" is not a number.`];
    output.textContent = says;
    output.className = right ? "right" : "wrong";
  }
});
