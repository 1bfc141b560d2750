// @ts-check
/**
 * The frame of every lab: it turns a description of a lab into anywidget's `{ render }`, which both hosts call
 * (a live kernel through anywidget, the static page through static.js). A lab says what its results are and how its
 * page is built; the frame keeps state, controls, outputs, marks, announcements, reset and "copy as PyTorch" together.
 *
 * State is the model's traits and nothing else: a view can be thrown away and built again at any moment.
 */
import { copy, debounce, h, keepKeys, plainNumbers, show, tell, throttle, written } from "./dom.js";

/**
 * @typedef {Record<string, any>} State What the reader controls; the keys of the Python class's state traits.
 * @typedef {Record<string, number | number[] | string>} Results By quantity: a number, a word, or a list with one an entry.
 *
 * @typedef {object} Lab
 * @property {string} topic The value of `data-widget`.
 * @property {string} label The lab's name, shown above it and read out for it.
 * @property {string} hint One line under the name: what to do with it.
 * @property {(state: State, start: State) => State} clean The nearest valid state to one that came from an address.
 * @property {(state: State) => Results} results Pure; everything that an output shows.
 * @property {(ui: Ui) => (state: State, results: Results) => void} build Fills `ui.body`; returns what paints each new state.
 * @property {(state: State) => string} python Runnable code that prints each result as `<quantity> <number or list>`.
 * @property {(state: State, results: Results, movement: string) => string} summary
 *   The state in a sentence, shown and read out; `movement` says what moved since the last change set out, and what stayed.
 * @property {(quantity: string, value: number) => string} [format] How an output shows its number; `show` if absent.
 * @property {Record<string, string>} [words] What an output shows for a word of the results.
 * @property {boolean} [marks] Whether each output says if it rose, fell or stayed.
 * @property {(state: State) => number} [slack] What rounding alone can move a result by, beyond a part in 10⁹ of it; 0 if absent.
 *
 * @typedef {object} Ui What a lab builds with.
 * @property {HTMLElement} body Where the lab goes.
 * @property {() => State} state
 * @property {(patch: State, gesture?: string) => void} set
 *   Changes the state. While a gesture is under way its name is given; without one the change is complete.
 * @property {(options: NumberOptions) => HTMLElement} number A number input and its slider.
 * @property {(options: ChoiceOptions) => HTMLElement} choice A select.
 * @property {(name: string, text: string, press: () => void) => HTMLButtonElement} button
 * @property {(next: (state: State) => State | null, milliseconds: number) => void} play
 *   Sets one patch after another until `next` gives none or anything else changes the state, `aria-busy` meanwhile; called
 *   again, it stops. For readers who want no motion all of it happens at once.
 * @property {() => boolean} playing
 * @property {(quantity: string, label: string, index?: number) => HTMLElement} output A labelled `<output>` with its mark.
 * @property {(quantity: string, label: string | null, index?: number) => HTMLOutputElement} cell
 *   The bare `<output>`, its label only read out: in a table the headers name it, and of many elements each costs time.
 * @property {() => HTMLElement} mark Right after an output, where it says if that rose, fell or stayed.
 * @property {(text: string) => void} say Has it read out, in place of the summary.
 * @property {() => void} repaint For a lab that works on while its state stays.
 * @property {(stop: () => void) => void} leave What to do when the view is thrown away: stop timers, drop listeners.
 *
 * @typedef {object} NumberOptions
 * @property {string} name
 * @property {number} [index] Where several controls share the name.
 * @property {string} label
 * @property {number} min Bounds of what may be typed.
 * @property {number} max
 * @property {{min: number, max: number, step: number, log?: boolean}} slider Its reach; with `log` these are powers of ten.
 * @property {boolean} [whole] Whether only whole numbers may be typed.
 * @property {(state: State) => number | undefined} get
 * @property {(state: State, value: number) => State} set Gives the patch.
 *
 * @typedef {object} ChoiceOptions
 * @property {string} name
 * @property {number} [index]
 * @property {string} label
 * @property {[value: string, text: string][]} options
 * @property {(state: State) => string} get
 * @property {(state: State, value: string) => State} set Gives the patch.
 */

const SAVE_MILLISECONDS = 50;
const ANNOUNCE_MILLISECONDS = 400;
const REFUSE_MILLISECONDS = 700;
const PLAYED = "played";

/**
 * @param {Lab | (() => Lab)} lab A function where each view has work of its own under way.
 * @returns {{ render(context: { model: any, el: HTMLElement }): () => void }}
 */
export function frame(lab) {
  return { render: ({ model, el }) => mount(typeof lab === "function" ? lab() : lab, model, el) };
}

/**
 * Which quantities rose, fell, moved both ways and stayed between two sets of results.
 * @param {Results} before
 * @param {Results} after
 * @param {number} [slack]
 */
export function compare(before, after, slack = 0) {
  const found = { rose: /** @type {string[]} */ ([]), fell: /** @type {string[]} */ ([]), moved: /** @type {string[]} */ ([]), stayed: /** @type {string[]} */ ([]) };
  for (const [quantity, value] of Object.entries(after)) {
    const [old, now] = [before[quantity], value].map((v) => (Array.isArray(v) ? v : [v]));
    const marks = new Set(now.slice(0, old.length).map((v, k) => direction(old[k], v, slack)));
    marks.delete("=");
    const [mark] = marks;
    (!marks.size ? found.stayed : marks.size > 1 ? found.moved : mark === "▲" ? found.rose : mark === "▼" ? found.fell : found.moved).push(quantity);
  }
  return found;
}

/**
 * The same as a sentence for a summary; nothing before the first change.
 * @param {Results | null} before
 * @param {Results} after
 * @param {number} [slack]
 */
export function movement(before, after, slack) {
  if (!before) return "";
  const { rose, fell, moved, stayed } = compare(before, after, slack);
  const list = (/** @type {string} */ verb, /** @type {string[]} */ names) => (names.length ? ` ${verb}: ${names.join(", ")}.` : "");
  return list("Rose", rose) + list("Fell", fell) + list("Moved both ways", moved) + list("Stayed", stayed);
}

/** @param {any} old @param {any} now @param {number} slack @returns {string} */
function direction(old, now, slack) {
  if (Object.is(old, now) || old === now) return "=";
  if (typeof now !== "number" || typeof old !== "number" || Number.isNaN(now - old)) return "";
  // Rounding is no movement. A step to infinity, or back, is.
  const gap = Math.abs(now - old);
  if (gap < Infinity && gap <= slack + 1e-9 * Math.max(Math.abs(old), Math.abs(now))) return "=";
  return now > old ? "▲" : "▼";
}

/**
 * @param {Lab} lab
 * @param {any} model
 * @param {HTMLElement} el
 */
function mount(lab, model, el) {
  /** @type {State} */
  const start = model.get("start");
  const keys = Object.keys(start);
  const read = () => lab.clean(Object.fromEntries(keys.map((key) => [key, model.get(key)])), start);

  let state = read();
  let results = lab.results(state);
  /** @type {Results | null} */
  let before = null;
  const looseness = () => lab.slack?.(state) ?? 0;
  let loose = 0;
  /** @type {string | undefined} */
  let gesture;
  let ours = false;
  let queued = false;
  let told = "";
  /** @type {{ element: HTMLElement, refresh: (state: State) => void }[]} */
  let controls = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let player;
  /** @type {(() => void)[]} */
  const leaving = [];

  const save = throttle(() => model.save_changes(), SAVE_MILLISECONDS);
  const announce = debounce(() => {
    live.textContent = summary.textContent;
  }, ANNOUNCE_MILLISECONDS);

  /** @type {Ui["set"]} */
  function set(patch, current) {
    if (current !== PLAYED) stop();
    const changed = Object.keys(patch).filter((key) => JSON.stringify(patch[key]) !== JSON.stringify(state[key]));
    if (changed.length) {
      if (!current || current !== gesture) remember();
      ours = true;
      for (const key of changed) model.set(key, patch[key]);
      ours = false;
      state = { ...state, ...patch };
      update();
      save.call();
    }
    // A gesture sets out with its first change: typing "0." into 0.25 begins with none.
    if (changed.length || !current) gesture = current;
    if (!current) save.flush();
  }

  function remember() {
    before = results;
    loose = looseness();
  }

  // The kernel may change several traits in one message: one repaint for all of them.
  function onModel() {
    if (ours || queued) return;
    stop();
    queued = true;
    queueMicrotask(() => {
      queued = false;
      remember();
      state = read();
      gesture = undefined;
      update();
    });
  }

  function stop() {
    clearTimeout(player);
    player = undefined;
    panel.removeAttribute("aria-busy");
  }

  function halt() {
    set({});
    update();
  }

  function update() {
    results = lab.results(state);
    paint(state, results);
    controls = controls.filter(({ element }) => body.contains(element));
    for (const control of controls) control.refresh(state);
    const slack = Math.max(loose, looseness());
    for (const output of /** @type {any} */ (body.querySelectorAll("output[data-quantity]"))) write(output, slack);
    const text = lab.summary(state, results, lab.marks ? movement(before, results, slack) : "");
    tell(summary, text);
    // What is at work is announced when it rests.
    if (text !== told && !panel.matches(":is([aria-busy], :has([aria-busy]))")) {
      told = text;
      if (before) announce.call();
    }
    tell(code, lab.python(state));
  }

  /** @param {HTMLOutputElement} output @param {number} slack */
  function write(output, slack) {
    const { quantity = "", index } = output.dataset;
    /** @param {Results | null} from */
    const pick = (from) => (index === undefined ? from?.[quantity] : /** @type {any} */ (from?.[quantity])?.[index]);
    const value = pick(results);
    output.dataset.value = String(value);
    tell(output, typeof value === "number" ? (lab.format ?? ((_, x) => show(x)))(quantity, value) : (lab.words?.[value] ?? String(value)));
    const mark = /** @type {HTMLElement | null} */ (output.nextElementSibling);
    if (lab.marks && mark) {
      const old = pick(before);
      tell(mark, old === undefined ? "" : direction(old, value, slack));
      mark.classList.toggle("ce-still", mark.textContent === "=");
    }
  }

  /** @type {Ui} */
  const ui = {
    body: h("div", { class: "ce-body" }),
    state: () => state,
    set,
    number(options) {
      const { name, index, label, min, max, slider, whole } = options;
      const toSlider = slider.log ? Math.log10 : (/** @type {number} */ x) => x;
      const fromSlider = slider.log
        ? (/** @type {number} */ x) => Math.min(Math.max(Number((10 ** x).toPrecision(slider.step < 0.05 ? 3 : 2)), min), max)
        : (/** @type {number} */ x) => x;
      const nearest = (/** @type {number} */ x) => (whole ? Math.round(x) : x);
      const which = `${name} ${index ?? ""}`;
      const box = h("input", { type: "number", name, "data-index": index, min, max, step: whole ? 1 : "any" });
      const range = h("input", {
        type: "range",
        name: `${name}-slider`,
        "data-index": index,
        min: slider.min,
        max: slider.max,
        step: slider.step,
        "aria-label": `${label}, slider`,
      });
      const good = (/** @type {number} */ x) => x >= min && x <= max && x === nearest(x);
      const typed = () => (box.value !== "" && good(box.valueAsNumber) ? box.valueAsNumber : null);
      // What is refused says why, until something is accepted.
      const bounds = `${whole ? "a whole number " : ""}from ${min} to ${max}`.replace("-", "−");
      const reason = h("small", { class: "ce-reason" }, bounds);
      const refuse = () => {
        box.setAttribute("aria-invalid", "true");
        box.after(reason);
        live.textContent = `${label}: ${bounds}.`;
      };
      // A number that has only been begun, "-" or "1e", is not refused under the reader's fingers.
      const refuseLater = debounce(refuse, REFUSE_MILLISECONDS);
      const accept = () => {
        refuseLater.cancel();
        box.removeAttribute("aria-invalid");
        reason.remove();
      };
      plainNumbers(box);
      // The arrows take the slider's steps; the browser's own step of 1 would jump over a probability.
      box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
        const way = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
        if (!way || whole) return;
        event.preventDefault();
        const value = typed() ?? options.get(state) ?? min;
        const next = slider.log ? fromSlider(toSlider(value) + way * slider.step) : Number((value + way * slider.step).toFixed(10));
        set(options.set(state, Math.min(Math.max(next, min), max)), which);
        accept();
        refresh(state, true);
      });
      // What plays would rewrite the number under the reader's fingers.
      box.addEventListener("focus", () => player !== undefined && halt());
      box.addEventListener("input", () => {
        const value = typed();
        if (value === null) (box.validity.badInput ? refuseLater.call : refuse)();
        else {
          accept();
          set(options.set(state, value), which);
        }
      });
      box.addEventListener("change", () => {
        const value = box.valueAsNumber;
        // Beyond the bounds, the bound; no number at all, what it was.
        const refused = reason.isConnected || Number.isNaN(value);
        refuseLater.cancel();
        set(Number.isNaN(value) ? {} : options.set(state, nearest(Math.min(Math.max(value, min), max))));
        refresh(state, true);
        if (refused) box.after(reason);
      });
      range.addEventListener("input", () => set(options.set(state, nearest(fromSlider(range.valueAsNumber))), which));
      range.addEventListener("change", () => set({}));
      // Where powers of ten are closer than whole numbers, a step would be lost in rounding.
      range.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
        const way = ["ArrowRight", "ArrowUp"].includes(event.key) ? 1 : ["ArrowLeft", "ArrowDown"].includes(event.key) ? -1 : 0;
        if (!way || !whole || !slider.log) return;
        const value = options.get(state) ?? min;
        const next = nearest(fromSlider(toSlider(value) + way * slider.step));
        if (next !== value) return;
        event.preventDefault();
        set(options.set(state, Math.min(Math.max(value + way, min), max)));
      });
      const refresh = (/** @type {State} */ now, force = false) => {
        const value = options.get(now);
        if (value === undefined) return;
        // Never rewrite what is being typed: "1." would lose its point.
        if (force || typed() !== value) {
          box.value = written(value);
          box.removeAttribute("aria-invalid");
        }
        reason.remove();
        const place = String(toSlider(value));
        if (range.value !== place) range.value = place;
        if (slider.log) range.setAttribute("aria-valuetext", show(value));
      };
      const element = h("div", { class: "ce-control" }, h("label", {}, h("span", {}, label), box), range);
      controls.push({ element, refresh });
      refresh(state, true);
      return element;
    },
    choice(options) {
      const { name, index, label } = options;
      const select = h("select", { name, "data-index": index }, ...options.options.map(([value, text]) => h("option", { value }, text)));
      select.addEventListener("change", () => set(options.set(state, select.value)));
      const element = h("div", { class: "ce-control" }, h("label", {}, h("span", {}, label), select));
      const refresh = (/** @type {State} */ now) => {
        select.value = options.get(now);
      };
      controls.push({ element, refresh });
      refresh(state);
      return element;
    },
    playing: () => player !== undefined,
    play(next, milliseconds) {
      if (player !== undefined) return halt();
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
        let end = state;
        for (let patch; (patch = next(end)); ) end = { ...end, ...patch };
        return set(end);
      }
      panel.setAttribute("aria-busy", "true");
      const tick = () => {
        const patch = next(state);
        if (!patch) return halt();
        player = setTimeout(tick, milliseconds);
        set(patch, PLAYED);
      };
      tick();
    },
    button(name, text, press) {
      const button = h("button", { type: "button", name }, text);
      // A button that would lose the focus by being disabled says so and stays.
      button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || press());
      return button;
    },
    output(quantity, label, index) {
      // An output is a live region by itself; the frame announces a change once, in a sentence.
      const output = ui.cell(quantity, null, index);
      return h("label", { class: "ce-result" }, h("span", {}, label), output, ...(lab.marks ? [ui.mark()] : []));
    },
    cell: (quantity, label, index) => h("output", { "data-quantity": quantity, "data-index": index, "aria-live": "off", "aria-label": label }),
    mark: () => h("span", { class: "ce-mark", "aria-hidden": "true" }),
    repaint: update,
    say(text) {
      announce.cancel();
      live.textContent = text;
    },
    leave: (stop) => leaving.push(stop),
  };
  const { body } = ui;

  const summary = h("p", { class: "ce-summary" });
  const live = h("p", { class: "ce-live", role: "status", "aria-live": "polite" });
  const code = h("code");
  const copyButton = ui.button("copy", "Copy as PyTorch", async () => {
    const done = await copy(code.textContent);
    details.open ||= !done;
    live.textContent = done ? "Copied." : "The browser allows no copying: the code is shown below.";
    copyButton.textContent = done ? "Copied" : "Copy as PyTorch";
    setTimeout(() => {
      copyButton.textContent = "Copy as PyTorch";
    }, 2000);
  });
  const reset = ui.button("reset", "Reset", () => set(start));
  const details = h("details", {}, h("summary", {}, "The same in PyTorch"), h("pre", {}, code));
  const panel = h(
    "div",
    { class: "ce-panel", role: "group", "aria-label": lab.label },
    h("p", { class: "ce-title" }, lab.label),
    h("p", { class: "ce-hint" }, lab.hint),
    body,
    summary,
    h("div", { class: "ce-buttons" }, reset, copyButton),
    details,
    live,
  );

  keepKeys(panel);
  const paint = lab.build(ui);
  el.append(panel);
  update();
  for (const key of keys) model.on(`change:${key}`, onModel);
  el.classList.add("ce-lab");
  el.dataset.widget = lab.topic;
  el.dataset.ready = "true";

  return () => {
    stop();
    for (const key of keys) model.off(`change:${key}`, onModel);
    for (const stop of leaving) stop();
    announce.cancel();
    save.flush();
    panel.remove();
    delete el.dataset.ready;
  };
}
