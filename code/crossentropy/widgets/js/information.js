// @ts-check
/** InformationLab: what nobody can save, and what a better Q would. Chapter "information". */
import { h, percent, python, show, subscript, svg, tell } from "./dom.js";
import { frame } from "./frame.js";
import { crossEntropy, klDivergence, reach, rescale, softmax } from "./maths.js";
import { locate, place, pointed, triangle } from "./simplex.js";

/** @typedef {import("./frame.js").State} State */

const FEWEST = 2;
const MOST = 8;
const UNITS = ["nats", "bits"];
const LEVELS = [0.1, 0.3, 1, 3];
// Points round the triangle's edge, its corners among them: where a line of equal KL runs along the edge, they are as close as elsewhere.
const EDGE = [0, 1, 2].flatMap((corner) =>
  Array.from({ length: 24 }, (_, j) => [0, 1, 2].map((k) => (k === corner ? 1 - j / 24 : k === (corner + 1) % 3 ? j / 24 : 0))),
);

// As in Python, rounded.
const SEED = softmax([2, 0.5, 0.1]).map((x) => Number(x.toFixed(12)));
const SMOOTHED = [0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3];
/** @type {Record<string, [text: string, p: number[], q: number[]]>} */
const PRESETS = {
  "one-hot": ["One-hot label", [1, 0, 0], SEED],
  smoothed: ["Smoothed label, ε = 0.1", SMOOTHED, SEED],
  uniform: ["Uniform P", [1 / 3, 1 / 3, 1 / 3], SEED],
  same: ["Q = P", SMOOTHED, SMOOTHED],
  missed: ["Q misses an outcome", SMOOTHED, [0.8, 0.2, 0]],
  eight: ["Eight outcomes, uniform Q", [1, 0, 0, 0, 0, 0, 0, 0], Array(8).fill(1 / 8)],
};

/** @param {number[]} a @param {number[]} b */
const near = (a, b) => a.length === b.length && a.every((x, k) => Math.abs(x - b[k]) < 1e-12);
const presetOf = (/** @type {State} */ { p, q }) => Object.keys(PRESETS).find((name) => near(p, PRESETS[name][1]) && near(q, PRESETS[name][2])) ?? "own";

/** A distribution from any numbers, or null. @param {number[]} values */
function distribution(values) {
  if (values.length < FEWEST || values.length > MOST) return null;
  const inside = values.map((x) => Math.min(Math.max(x, 0), 1));
  const total = inside.reduce((sum, x) => sum + x, 0);
  if (!total) return null;
  return Math.abs(total - 1) < 1e-9 ? inside : inside.map((x) => x / total);
}

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "information",
  label: "Information lab",
  hint: "Move one probability: the others make room, so each row sums to one. Each number tells if it rose ▲, fell ▼ or stayed =.",
  marks: true,

  clean({ p, q, unit }, start) {
    const [truth, belief] = [distribution(p), distribution(q)];
    const good = truth && belief && truth.length === belief.length;
    return {
      p: good ? truth : start.p,
      q: good ? belief : start.q,
      unit: UNITS.includes(unit) ? unit : start.unit,
    };
  },

  results({ p, q, unit }) {
    return {
      p,
      q,
      entropy: crossEntropy(p, p, unit),
      "cross-entropy": crossEntropy(p, q, unit),
      "kl-divergence": klDivergence(p, q, unit),
      "reverse-kl-divergence": klDivergence(q, p, unit),
    };
  },

  // The sums differ in their last digits from one order of the outcomes to the other.
  slack: () => 1e-15,

  format(quantity, value) {
    if (quantity.length > 1) return show(value);
    if (value > 0 && value < 0.0005) return "< 0.1 %";
    return value < 1 && value >= 0.9995 ? "> 99.9 %" : `${show(100 * value, 1)} %`;
  },

  build(ui) {
    const bar = (/** @type {string} */ kind) => h("div", { class: `ce-bar ${kind}` });
    const track = (/** @type {HTMLElement[]} */ ...bars) => h("div", { class: "ce-track ce-stack", "aria-hidden": "true" }, ...bars);
    const length = (/** @type {HTMLElement} */ drawn, /** @type {HTMLElement[]} */ ...outputs) =>
      h("div", { class: "ce-length" }, h("div", { class: "ce-buttons" }, ...outputs), drawn);

    const keyed = (/** @type {string} */ kind, /** @type {HTMLElement} */ output) =>
      h("div", { class: "ce-keyed" }, h("span", { class: `ce-bar ${kind}`, "aria-hidden": "true" }), output);

    const rows = { p: h("div", { class: "ce-rows" }), q: h("div", { class: "ce-rows" }) };
    // While one slider moves, the others keep the proportions that they had when it set out, even through 0.
    /** @type {{ name: string, k: number, from: number[], to: number[] } | null} */
    let move = null;
    const moved = (/** @type {State} */ state, /** @type {"p" | "q"} */ name, /** @type {number} */ k, /** @type {number} */ value) => {
      const goesOn = move?.name === name && move.k === k && near(move.to, state[name]);
      const from = goesOn ? /** @type {any} */ (move).from : state[name];
      const to = rescale(from, k, value);
      move = { name, k, from, to };
      return { [name]: to };
    };
    const row = (/** @type {"p" | "q"} */ name, /** @type {number} */ k) =>
      h(
        "div",
        { class: "ce-outcome" },
        ui.number({
          name,
          index: k,
          label: `${name.toUpperCase()}${subscript(k)}`,
          min: 0,
          max: 1,
          slider: { min: 0, max: 1, step: 0.01 },
          get: (state) => state[name][k],
          set: (state, value) => moved(state, name, k, value),
        }),
        h("div", { class: "ce-result" }, ui.cell(name, `${name.toUpperCase()}${subscript(k)}`, k), ui.mark()),
      );
    const group = (/** @type {"p" | "q"} */ name, /** @type {string} */ text) =>
      h("div", { role: "group", "aria-label": text }, h("p", { class: "ce-hint" }, text), rows[name]);

    const [floor, excess, reverse] = [bar("ce-floor"), bar("ce-excess"), bar("ce-reverse")];
    const stack = track(floor, excess);
    const parts = track();
    const back = track(reverse);
    const scale = h("div", { class: "ce-axis" }, h("span", {}, "0"), h("span"), h("span"));

    const levels = LEVELS.map(() => svg("path", { class: "ce-level" }));
    const values = LEVELS.map((level) => svg("text", { class: "ce-value", "text-anchor": "middle" }, String(level)));
    const drawing = triangle();
    const handle = (/** @type {"p" | "q"} */ name) => {
      const point = svg(
        "g",
        { class: `ce-point ce-point-${name}` },
        svg("circle", { r: 9, opacity: 0 }),
        name === "p" ? svg("rect", { x: -5, y: -5, width: 10, height: 10 }) : svg("circle", { r: 5.5 }),
        svg("text", { y: 2.6, "text-anchor": "middle" }, name.toUpperCase()),
      );
      point.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => point.setPointerCapture(event.pointerId));
      point.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
        if (point.hasPointerCapture(event.pointerId)) ui.set({ [name]: locate(...pointed(drawing, event)) }, `${name} drawn`);
      });
      point.addEventListener("lostpointercapture", () => ui.set({}));
      return point;
    };
    const points = { p: handle("p"), q: handle("q") };
    drawing.append(...levels, ...values, points.p, points.q);
    const spelt = h("span");
    const map = h(
      "div",
      {},
      drawing,
      h("p", { class: "ce-hint" }, "Drag P or Q. On each line KL(P\u00a0‖\u00a0Q) is the same, in ", spelt, "."),
    );

    ui.body.append(
      h("div", { class: "ce-pair" }, group("p", "P, where labels come from"), group("q", "Q, what the model believes")),
      h(
        "div",
        { class: "ce-buttons" },
        ui.choice({
          name: "preset",
          label: "Try",
          options: [...Object.entries(PRESETS).map(([name, [text]]) => /** @type {[string, string]} */ ([name, text])), ["own", "your own"]],
          get: presetOf,
          set: (_, name) => (name === "own" ? {} : { p: PRESETS[name][1], q: PRESETS[name][2] }),
        }),
        ui.choice({
          name: "unit",
          label: "Unit",
          options: UNITS.map((unit) => [unit, unit]),
          get: ({ unit }) => unit,
          set: (_, unit) => ({ unit }),
        }),
        ui.button("swap", "Swap P and Q", () => ui.set({ p: ui.state().q, q: ui.state().p })),
      ),
      h(
        "div",
        { class: "ce-map" },
        h(
          "div",
          { class: "ce-rows" },
          length(stack, keyed("ce-floor", ui.output("entropy", "H(P), nobody can save")), keyed("ce-excess", ui.output("kl-divergence", "KL(P ‖ Q), a better Q can"))),
          length(parts, ui.output("cross-entropy", "H(P, Q), by outcome")),
          length(back, ui.output("reverse-kl-divergence", "KL(Q ‖ P), the other way")),
          h("div", { class: "ce-scale", "aria-hidden": "true" }, scale),
        ),
        map,
      ),
    );

    let drawn = "";
    const contours = (/** @type {number[]} */ p, /** @type {string} */ unit) => {
      if (drawn === `${p} ${unit}`) return;
      drawn = `${p} ${unit}`;
      levels.forEach((path, j) => {
        /** Where the line crosses the way from P to a point of the edge, if it does. @param {number[]} end */
        const crossing = (end) => {
          const direction = end.map((x, k) => x - p[k]);
          if (Math.max(...direction.map(Math.abs)) < 1e-9) return null;
          const [t, ended] = reach(p, direction, LEVELS[j] * (unit === "bits" ? Math.LN2 : 1));
          return ended ? null : place(p.map((pk, k) => pk + t * direction[k]));
        };
        let d = "";
        let pen = false;
        for (const end of [...EDGE, EDGE[0]]) {
          const at = crossing(end);
          if (at) d += `${pen ? "L" : "M"}${at.map((x) => x.toFixed(2))}`;
          pen = at !== null;
        }
        path.setAttribute("d", d);
        // On the way to where most room is, upwards or downwards.
        const at = crossing(p[0] > 1 / 3 ? [0, 0.5, 0.5] : [1, 0, 0]);
        values[j].toggleAttribute("hidden", !at);
        if (at) values[j].setAttribute("transform", `translate(${at[0].toFixed(2)},${(at[1] + 1.8).toFixed(2)})`);
      });
    };

    return (state, results) => {
      const [p, q] = /** @type {number[][]} */ ([state.p, state.q]);
      const { unit } = state;
      const count = p.length;
      if (rows.p.children.length !== count) {
        for (const name of /** @type {const} */ (["p", "q"])) rows[name].replaceChildren(...p.map((_, k) => row(name, k)));
        parts.replaceChildren(...p.map((_, k) => h("div", { class: "ce-bar ce-part" }, String(k))));
      }
      const [entropy, total, kl, other] = ["entropy", "cross-entropy", "kl-divergence", "reverse-kl-divergence"].map((name) => /** @type {number} */ (results[name]));
      const costs = p.map((pk, k) => (pk ? pk * -(unit === "bits" ? Math.log2 : Math.log)(q[k]) : 0));
      const finite = (/** @type {number} */ x) => (x < Infinity ? x : 0);
      const longest = Math.max(finite(total), finite(other), entropy, costs.reduce((sum, x) => sum + finite(x), 0));
      const endless = [total, kl, other].includes(Infinity);
      const least = 2 ** Math.max(0, Math.ceil(Math.log2(longest)));
      // What is infinite needs room to be seen.
      const end = endless && longest > 0.9 * least ? 2 * least : least;
      const draw = (/** @type {HTMLElement} */ element, /** @type {number} */ value) => {
        element.style.width = value < Infinity ? percent(value / end) : "";
        element.classList.toggle("ce-endless", value === Infinity);
      };
      draw(floor, entropy);
      draw(excess, kl);
      draw(reverse, other);
      costs.forEach((cost, k) => {
        draw(parts.children[k], cost);
        parts.children[k].classList.toggle("ce-thin", cost / end < 0.05);
      });
      tell(scale.children[1], String(end / 2));
      tell(scale.children[2], `${end} ${end === 1 ? unit.slice(0, -1) : unit}`);
      tell(spelt, unit);

      map.hidden = count !== 3;
      if (count !== 3) return;
      contours(p, unit);
      points.p.setAttribute("transform", `translate(${place(p)})`);
      points.q.setAttribute("transform", `translate(${place(q)})`);
    };
  },

  summary({ p, q, unit }, results, movement) {
    const [entropy, total, kl] = ["entropy", "cross-entropy", "kl-divergence"].map((name) => /** @type {number} */ (results[name]));
    const missed = p.findIndex((/** @type {number} */ pk, /** @type {number} */ k) => pk > 0 && q[k] === 0);
    let sentence = `Of the ${show(total)} ${unit} a label, nobody can save ${show(entropy)}; a better Q would save ${show(kl)}.`;
    if (missed >= 0) sentence = `Q rules out outcome ${missed}, which does happen: no finite code is long enough.`;
    else if (near(p, q)) sentence = entropy ? `Q = P: there is nothing to gain, and the loss is ${show(total)} ${unit} all the same.` : "Q = P, and the label is certain: the loss is 0.";
    return sentence + movement;
  },

  python: ({ p, q, unit }) => `import math

import torch

p = torch.tensor(${python(p)}, dtype=torch.float64)
q = torch.tensor(${python(q)}, dtype=torch.float64)
unit = ${unit === "bits" ? "math.log(2)  # nats in a bit" : "1.0  # nats"}

def cross_entropy(p, q):
    return -torch.xlogy(p, q).sum().item() / unit  # 0 log 0 = 0

print("p", p.tolist())
print("q", q.tolist())
print("entropy", cross_entropy(p, p))
print("cross-entropy", cross_entropy(p, q))
print("kl-divergence", cross_entropy(p, q) - cross_entropy(p, p))
print("reverse-kl-divergence", cross_entropy(q, p) - cross_entropy(q, q))
`,
};

export default frame(LAB);
