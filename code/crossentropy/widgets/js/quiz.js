// @ts-check
/** Quiz: predict before you look, put a derivation in order. What the reader answers is kept on this device, and nowhere else. */
import { h, keepKeys, plainNumbers } from "./dom.js";

/**
 * @typedef {object} Question As in questions/<chapter>.toml.
 * @property {string} name
 * @property {"one" | "several" | "number" | "order"} kind
 * @property {string} text
 * @property {string} feedback Said of the right answer.
 * @property {{ text: string, right?: boolean, feedback?: string }[]} option Of a choice.
 * @property {number} answer Of a number, as all that follow.
 * @property {number} tolerance
 * @property {string} unit
 * @property {{ value: number, tolerance: number, feedback: string }[]} mistake
 * @property {string} otherwise Said of a number that nobody foresaw.
 * @property {string} start Of a derivation, as what follows: the line that it begins with.
 * @property {{ text: string, because?: string, early?: string, never?: string }[]} line In the right order: why it follows, and why it cannot stand
 *   sooner; or, of a line that is wrong, why it never stands.
 *
 * @typedef {number | number[]} Answer A number, or which options were chosen, or lines in the order in which they were laid.
 * @typedef {Record<string, Answer>} Answers By the question's name.
 */

const PARTS = {
  predict: ["Predict first", "Answer before you read on. A wrong answer is told which idea led to it, and may be changed."],
  exercise: ["Put it in order", "Choose the next line. What stands is told why it follows; what cannot stand yet, why not."],
  before: ["Before the book", "What you answer is kept, and not judged yet: the right answers would spoil the second round."],
  after: ["After the book", "A wrong answer is told which idea led to it, and may be changed."],
};

/**
 * How many lines of a derivation stand: those laid in the right order from the beginning.
 * @param {Question} question
 * @param {Answer | undefined} answer
 */
function standing({ line }, answer) {
  const chain = line.flatMap(({ never }, k) => (never ? [] : [k]));
  const laid = Array.isArray(answer) ? answer : [];
  const amiss = laid.findIndex((k, n) => k !== chain[n]);
  return { laid: amiss < 0 ? laid : laid.slice(0, amiss), wrong: amiss < 0 ? undefined : line[laid[amiss]], whole: chain.length };
}

/**
 * Whether an answer is right, and what is to be said of it; `partly` where a derivation is right as far as it goes.
 * @param {Question} question
 * @param {Answer} answer
 * @returns {{ right: boolean, partly?: boolean, feedback: string[] }}
 */
export function mark(question, answer) {
  const { kind, option, mistake } = question;
  if (kind === "order") {
    const { laid, wrong, whole } = standing(question, answer);
    if (wrong) return { right: false, feedback: [wrong.never ?? wrong.early ?? ""] };
    if (laid.length === whole) return { right: true, feedback: [question.feedback] };
    return { right: false, partly: true, feedback: [question.line[laid[laid.length - 1]].because ?? ""] };
  }
  if (!Array.isArray(answer)) {
    if (Math.abs(answer - question.answer) <= question.tolerance) return { right: true, feedback: [question.feedback] };
    const known = mistake.find(({ value, tolerance }) => Math.abs(answer - value) <= tolerance);
    return { right: false, feedback: [known?.feedback ?? question.otherwise] };
  }
  const wrong = option.flatMap(({ text, right = false, feedback = "" }, k) => {
    const chosen = answer.includes(k);
    if (chosen === right || (kind === "one" && !chosen)) return [];
    return kind === "one" ? [feedback] : [`${chosen ? "Not this" : "Left out"}: “${text}”. ${feedback}`];
  });
  return wrong.length ? { right: false, feedback: wrong } : { right: true, feedback: [question.feedback] };
}

/**
 * The answers that fit the questions. What was kept on the device may be older than they are, or anybody's.
 * @param {Question[]} questions
 * @param {any} answers
 * @returns {Answers}
 */
export function clean(questions, answers) {
  const fits = (/** @type {Question} */ { kind, option, line = option }, /** @type {any} */ answer) =>
    kind === "number"
      ? Number.isFinite(answer)
      : Array.isArray(answer) &&
        answer.every((k, n) => Number.isInteger(k) && line[k] && answer.indexOf(k) === n) &&
        (kind === "one" ? answer.length === 1 : answer.length > 0);
  return Object.fromEntries(questions.map((q) => [q.name, answers?.[q.name]]).filter(([, answer], k) => fits(questions[k], answer)));
}

/** Kept on this device, as far as the browser allows it; some allow nothing to a page opened from a folder. @param {string} key */
function memory(key) {
  return {
    /** @returns {any} */
    load() {
      try {
        return JSON.parse(localStorage.getItem(key) ?? "{}");
      } catch {
        return {};
      }
    },
    /** @param {Answers} answers @returns {boolean} whether it is kept */
    save(answers) {
      try {
        if (Object.keys(answers).length) localStorage.setItem(key, JSON.stringify(answers));
        else localStorage.removeItem(key);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** What stands between backticks is code. @param {string} text @returns {(Node | string)[]} */
const rich = (text) => text.split("`").map((part, k) => (k % 2 ? h("code", {}, part) : part));

/**
 * The form of one question.
 * @param {Question} question
 * @param {number} k
 * @param {boolean} silent whether an answer is kept without being judged
 * @param {(answer: Answer) => void} answered
 */
function ask(question, k, silent, answered) {
  const { name, kind, text, option, unit, start, line } = question;
  const choice = (/** @type {{ text: string }} */ { text }, /** @type {number} */ j) => {
    const input = h("input", { type: kind === "several" ? "checkbox" : "radio", name, "data-index": j });
    return h("label", { class: "ce-option" }, input, h("span", {}, ...rich(text)));
  };
  const number = () => h("label", { class: "ce-option" }, h("span", {}, "Your number"), plainNumbers(h("input", { type: "number", name, step: "any" })), h("span", {}, unit));
  const controls = kind === "number" ? [number()] : (line ?? option).map(choice);
  // Sorted by how they end, lines tell nothing of their order; Python sorts them so as well.
  const end = (/** @type {HTMLElement} */ { textContent }) => [...(textContent ?? "")].reverse().join("");
  const shown = line ? [...controls].sort((a, b) => (end(a) < end(b) ? -1 : 1)) : controls;
  /** @type {HTMLInputElement[]} */
  const inputs = controls.map((control) => control.querySelector("input"));
  const derivation = h("ol", { class: "ce-derivation" });
  const asked = h("p", { class: "ce-hint" }, "Which line comes next? Some may not belong.");
  const buttons = h("div", { class: "ce-buttons" }, h("button", { type: "submit", name: "check", "data-index": k }, silent ? "Keep" : "Check"));
  /** @type {number[]} */
  let laid = [];
  /** The lines that stand, each with its reason; they are no longer offered. @param {Answer | undefined} answer */
  const lay = (answer) => {
    laid = standing(question, answer).laid;
    const reason = (/** @type {number} */ j) => h("li", {}, h("span", {}, ...rich(line[j].text)), h("span", { class: "ce-hint" }, ...rich(line[j].because ?? "")));
    derivation.replaceChildren(h("li", {}, h("span", {}, ...rich(start))), ...laid.map(reason));
    const done = laid.length === standing(question, laid).whole;
    controls.forEach((control, j) => {
      control.hidden = done || laid.includes(j);
      if (control.hidden) inputs[j].checked = false;
    });
    // The focus would be lost with the button.
    if (done && buttons.contains(document.activeElement)) verdict.focus();
    asked.hidden = buttons.hidden = done;
  };
  const verdict = h("output", { class: "ce-verdict", "data-quantity": "verdict", "data-index": k, "aria-live": "polite", tabindex: line ? -1 : null });
  if (line) lay(undefined);
  const form = h(
    "form",
    { novalidate: true },
    h(
      "fieldset",
      {},
      h("legend", {}, `${k + 1}. `, ...rich(text)),
      ...(kind === "several" ? [h("p", { class: "ce-hint" }, "Several may be right: tick all that are.")] : []),
      ...(line ? [derivation, asked] : []),
      ...shown,
      buttons,
      verdict,
    ),
  );

  /** @param {string} value @param {string} word @param {string[]} sentences */
  const say = (value, word, sentences) => {
    verdict.dataset.value = value;
    verdict.replaceChildren(...(word ? [h("strong", {}, word), " "] : []), ...sentences.map((s) => h("span", {}, ...rich(s), " ")));
  };
  /** @param {Answer} answer */
  const judge = (answer) => {
    if (silent) return say("kept", "Kept.", []);
    const { right, partly, feedback } = mark(question, answer);
    if (partly) say("partly", "✓ It follows.", feedback);
    else say(right ? "right" : "wrong", right ? "✓ Right." : "✗ Not yet.", feedback);
  };
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const chosen = inputs.flatMap((input, j) => (input.checked ? [j] : []));
    const answer = kind === "number" ? inputs[0].valueAsNumber : [...laid, ...chosen];
    if ((line && !chosen.length) || !Object.keys(clean([question], { [name]: answer })).length) return say("", "", ["Give an answer first."]);
    answered(answer);
    if (line) lay(answer);
    judge(answer);
  });
  // A verdict speaks of what was checked, not of what is being chosen now.
  form.addEventListener("input", () => say("", "", []));
  return {
    form,
    /** @param {Answer | undefined} answer */
    show(answer) {
      if (line) lay(answer);
      if (answer === undefined) {
        form.reset();
        return say("", "", []);
      }
      inputs.forEach((input, j) => {
        if (Array.isArray(answer)) input.checked = answer.includes(j) && !laid.includes(j);
        else input.value = String(answer);
      });
      judge(answer);
    },
  };
}

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  /** @type {Question[]} */
  const questions = model.get("questions");
  /** @type {keyof typeof PARTS} */
  const part = model.get("part") ?? "predict";
  const key = (/** @type {string} */ part) => `crossentropy.quiz.${model.get("chapter")}${part === "predict" ? "" : `.${part}`}`;
  const disk = memory(key(part));
  const silent = part === "before";
  const [title, hint] = PARTS[part];
  /** @type {Answers} */
  let shown = {};

  const forms = questions.map((question, k) => ask(question, k, silent, (answer) => set({ ...shown, [question.name]: answer })));
  const right = h("output", { "data-quantity": silent ? "answered" : "right", "aria-live": "off" });
  const where = h("span", { class: "ce-hint" });
  const live = h("p", { class: "ce-live", role: "status", "aria-live": "polite" });
  const forget = h("button", { type: "button", name: "forget" }, "Forget my answers");
  forget.addEventListener("click", () => {
    if (forget.getAttribute("aria-disabled") === "true") return;
    for (const { show } of forms) show(undefined);
    set({});
    live.textContent = "Your answers are forgotten.";
  });
  const panel = h(
    "div",
    { class: "ce-panel", role: "group", "aria-label": `Quiz: ${title}` },
    h("p", { class: "ce-title" }, title),
    h("p", { class: "ce-hint" }, hint),
    h("div", { class: "ce-body" }, ...forms.map(({ form }) => form)),
    h("div", { class: "ce-buttons ce-kept" }, right, forget, where),
    live,
  );

  /** @param {Answers} answers */
  function set(answers) {
    live.textContent = "";
    model.set("answers", answers);
    model.save_changes();
  }

  function update() {
    const answers = clean(questions, model.get("answers"));
    questions.forEach(({ name }, k) => {
      if (JSON.stringify(answers[name]) !== JSON.stringify(shown[name])) forms[k].show(answers[name]);
    });
    shown = answers;
    const rights = (/** @type {Answers} */ of) => questions.filter((q) => q.name in of && mark(q, of[q.name]).right).length;
    const count = silent ? Object.keys(answers).length : rights(answers);
    right.dataset.value = String(count);
    right.value = `${count} of ${questions.length} ${silent ? "answered" : "right"}`;
    const first = part === "after" ? clean(questions, memory(key("before")).load()) : {};
    if (Object.keys(first).length) right.value += `; before the book ${rights(first)}`;
    forget.setAttribute("aria-disabled", String(!Object.keys(answers).length));
    where.textContent = disk.save(answers) ? "Kept on this device only." : "Not kept: this browser lets the page keep nothing.";
  }

  const kept = clean(questions, disk.load());
  if (!Object.keys(clean(questions, model.get("answers"))).length && Object.keys(kept).length) set(kept);
  update();
  model.on("change:answers", update);
  // Another tab keeps its answers in the same place.
  const elsewhere = (/** @type {StorageEvent} */ { key: changed }) => {
    if (changed === null || changed === key(part)) set(clean(questions, disk.load()));
    else if (changed === key("before")) update();
  };
  addEventListener("storage", elsewhere);
  keepKeys(panel);
  el.append(panel);
  el.classList.add("ce-lab");
  el.dataset.widget = "quiz";
  el.dataset.ready = "true";
  return () => {
    model.off("change:answers", update);
    removeEventListener("storage", elsewhere);
    panel.remove();
    delete el.dataset.ready;
  };
}

export default { render };
