// @ts-check
/** StabilityLab: the textbook's route and the shifted one, step by step, in four dtypes. Chapter "stability". */
import { clamp, h, percent, python, show, tell } from "./dom.js";
import { frame } from "./frame.js";
import { cleanLogits, logit } from "./logits.js";
import { FORMATS, naiveRoute, roundTo, shiftedRoute } from "./maths.js";

const SMALLEST = 0.01;
const LARGEST = 1000;
const TRUE_CLASS = 0;
// Nearer than this part of the line, one dot would hide another's digit.
const APART = 0.06;

/** On which level each dot stands, so that none covers another. @param {number[]} places @param {number} apart @returns {number[]} */
function stacked(places, apart) {
  /** @type {number[]} */
  const levels = [];
  places.forEach((x, k) => {
    const taken = levels.filter((_, j) => Math.abs(places[j] - x) < apart);
    levels[k] = places.findIndex((_, level) => !taken.includes(level));
  });
  return levels;
}

/** What the dtype holds of the scaled logits. @param {import("./frame.js").State} state @returns {number[]} */
const held = ({ logits, scale, dtype }) => logits.map((/** @type {number} */ z) => roundTo(scale * z, dtype));

/** The first step that is not finite. @param {import("./frame.js").Results} r */
function breaksAt(r) {
  const steps = { z: r.score, "exp(z)": r.exponential, sum: r.total, p: r.probability, "log p": r["naive-loss"], gradient: r["naive-gradient"] };
  return Object.entries(steps).find(([, values]) => ![values].flat().every(Number.isFinite))?.[0] ?? "nowhere";
}

/** Why a number is not what the maths says, in two words. @param {import("./frame.js").Results} r */
function faults(r) {
  const [z, e, p, g, good, moved] = /** @type {number[][]} */ (
    ["score", "exponential", "probability", "naive-gradient", "stable-gradient", "shifted-exponential"].map((name) => r[name])
  );
  const [total, loss] = /** @type {number[]} */ ([r.total, r["naive-loss"]]);
  const born = (/** @type {boolean} */ finite) => (finite ? "overflow" : "");
  const division = (/** @type {number} */ k) => {
    if (Number.isNaN(p[k])) return e[k] === Infinity ? "∞ / ∞" : e[k] === 0 ? "0 / 0" : "";
    if (p[k] > 0) return "";
    return total === Infinity ? "x / ∞" : e[k] > 0 ? "underflow" : "";
  };
  return /** @type {Record<string, string | string[]>} */ ({
    score: z.map((x) => born(!Number.isFinite(x))),
    exponential: e.map((x, k) => (x === Infinity ? born(Number.isFinite(z[k])) : x === 0 ? "underflow" : "")),
    total: total === Infinity ? born(e.every(Number.isFinite)) : "",
    probability: p.map((_, k) => division(k)),
    "naive-loss": loss === Infinity ? "log 0" : "",
    "naive-gradient": g.map((x, k) => {
      if (!Number.isFinite(x)) return Number.isFinite(loss) ? "1 / p is ∞" : "";
      return Math.abs(x - good[k]) > 0.1 ? "wrong" : "";
    }),
    "shifted-exponential": moved.map((x) => (x === 0 ? "underflow" : "")),
  });
}

/** What is not finite among some numbers. @param {number[]} values */
const unruly = (values) => show(/** @type {number} */ (values.find(Number.isNaN) ?? values.find((x) => !Number.isFinite(x))));

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "stability",
  label: "Stability lab",
  hint: "Class 0 is true. Pull the scores apart, or scale them, and watch where the first number breaks.",

  clean({ logits, scale, dtype }, start) {
    return {
      logits: cleanLogits(logits, start.logits),
      scale: clamp(scale, SMALLEST, LARGEST),
      dtype: Object.hasOwn(FORMATS, dtype) ? dtype : start.dtype,
    };
  },

  results(state) {
    const score = held(state);
    const naive = naiveRoute(score, TRUE_CLASS, state.dtype);
    const shifted = shiftedRoute(score, TRUE_CLASS, state.dtype);
    const results = {
      score,
      exponential: naive.exponential,
      total: naive.total,
      probability: naive.probability,
      "naive-loss": naive.loss,
      "naive-gradient": naive.gradient,
      "shifted-score": shifted.shifted,
      "shifted-exponential": shifted.exponential,
      "shifted-total": shifted.total,
      "stable-loss": shifted.loss,
      "stable-gradient": shifted.gradient,
    };
    return { ...results, "breaks-at": breaksAt(results) };
  },

  build(ui) {
    const rows = h("div", { class: "ce-rows" });
    const reach = h("div", { class: "ce-line ce-reach" });
    const limits = h("p", { class: "ce-hint" });
    const tables = h("div", { class: "ce-pair ce-tables" });
    /** @type {{ quantity: string, index?: number, note: HTMLElement, cell: HTMLElement }[]} */
    let cells = [];
    /** @type {HTMLElement[][]} */
    let dots = [];
    /** @type {HTMLElement[]} */
    let lanes = [];

    const cell = (/** @type {string} */ quantity, /** @type {string} */ label, /** @type {number | undefined} */ index) => {
      const note = h("small", { class: "ce-note" });
      const element = h("td", {}, ui.cell(quantity, label, index), note);
      cells.push({ quantity, index, note, cell: element });
      return element;
    };

    const table = (
      /** @type {string} */ caption,
      /** @type {[quantity: string, label: string][]} */ columns,
      /** @type {[quantity: string, label: string]} */ [sum, sumLabel],
      /** @type {[quantity: string, label: string]} */ [loss, lossLabel],
    ) => {
      const answer = (/** @type {string} */ kind, /** @type {string} */ quantity, /** @type {string} */ label) =>
        h("tr", { class: kind }, h("th", { scope: "row" }, label), cell(quantity, label, undefined));
      const steps = h(
        "table",
        { class: "ce-steps" },
        h("caption", {}, caption),
        h("thead", {}, h("tr", {}, ...["class", ...columns.map(([, label]) => label)].map((text) => h("th", { scope: "col" }, text)))),
        h(
          "tbody",
          {},
          ...ui
            .state()
            .logits.map((/** @type {number} */ _, /** @type {number} */ k) =>
              h("tr", {}, h("th", { scope: "row" }, String(k)), ...columns.map(([quantity, label]) => cell(quantity, `${label}, class ${k}`, k))),
            ),
        ),
      );
      // A table of their own: no column's header is theirs.
      const sums = h("table", { class: "ce-steps", "aria-label": `${caption}, sum and loss` }, h("tbody", {}, answer("", sum, sumLabel), answer("ce-answer", loss, lossLabel)));
      return h("div", {}, steps, sums);
    };

    const resize = () => {
      cells = [];
      dots = [[], []];
      const { logits } = ui.state();
      rows.replaceChildren(
        ...logits.map((/** @type {number} */ _, /** @type {number} */ k) =>
          logit(ui, k, 20),
        ),
      );
      tables.replaceChildren(
        table(
          "As written: −log softmax",
          [
            ["score", "z"],
            ["exponential", "exp z"],
            ["probability", "p"],
            ["naive-gradient", "gradient"],
          ],
          ["total", "sum of exp z"],
          ["naive-loss", "naive loss"],
        ),
        table(
          "Shifted by the largest, M",
          [
            ["shifted-score", "z − M"],
            ["shifted-exponential", "exp(z − M)"],
            ["stable-gradient", "gradient"],
          ],
          ["shifted-total", "sum of exp(z − M)"],
          ["stable-loss", "stable loss"],
        ),
      );
      const lane = (/** @type {number} */ which) => {
        dots[which] = logits.map((/** @type {number} */ _, /** @type {number} */ k) =>
          h("div", { class: which ? "ce-dot ce-hollow" : "ce-dot" }, String(k)),
        );
        return h("div", { class: "ce-lane" }, ...dots[which]);
      };
      lanes = [lane(0), lane(1)];
      reach.replaceChildren(
        h("div", { class: "ce-band" }),
        h("div", { class: "ce-band ce-subnormal" }),
        ...lanes,
        h("div", { class: "ce-axis" }, h("span", {}, "0 ←"), h("span"), h("span", {}, "1"), h("span", {}, "→ ∞")),
      );
    };

    ui.body.append(
      rows,
      h(
        "div",
        { class: "ce-pair" },
        ui.number({
          name: "scale",
          label: "Scale multiplies all",
          min: SMALLEST,
          max: LARGEST,
          slider: { min: -1, max: 3, step: 0.05, log: true },
          get: (state) => state.scale,
          set: (_, scale) => ({ scale }),
        }),
        ui.choice({
          name: "dtype",
          label: "dtype",
          options: Object.keys(FORMATS).map((name) => [name, name]),
          get: (state) => state.dtype,
          set: (_, dtype) => ({ dtype }),
        }),
      ),
      h("div", {}, limits, h("div", { "aria-hidden": "true" }, reach)),
      tables,
      ui.output("breaks-at", "The naive route first breaks at:"),
    );

    return (state, results) => {
      if (rows.children.length !== state.logits.length) resize();
      const notes = faults(results);
      for (const { quantity, index, note, cell } of cells) {
        const told = notes[quantity] ?? "";
        tell(note, index === undefined ? String(told) : told[index] || "");
        // A number that underflows after the shift is missed by nobody.
        cell.classList.toggle("ce-broken", note.textContent !== "" && !quantity.startsWith("shifted"));
      }

      const { digits, lowest, largest } = FORMATS[/** @type {import("./maths.js").Dtype} */ (state.dtype)];
      const normal = lowest * Math.LN2;
      const bottom = normal - (digits + 1) * Math.LN2;
      const top = Math.log(largest);
      const from = bottom - 0.4 * (top - bottom);
      const to = top + 0.4 * (top - bottom);
      const at = (/** @type {number} */ x) => percent((x - from) / (to - from));
      const [band, subnormal, , , axis] = /** @type {any} */ (reach.children);
      band.style.left = at(bottom);
      subnormal.style.left = at(bottom);
      band.style.right = subnormal.style.right = "";
      band.style.width = percent((top - bottom) / (to - from));
      subnormal.style.width = percent((normal - bottom) / (to - from));
      [bottom, normal, 0, top].forEach((x, k) => {
        axis.children[k].style.left = at(x);
      });
      const smallest = 2 ** lowest * 2 ** -digits;
      tell(limits, `What ${state.dtype} can hold: from ${show(smallest)} to ${show(largest, 0)}, with fewer digits in the striped part. Full dots are exp z; hollow ones are exp(z − M), of which the largest is always 1.`);
      const score = state.logits.map((/** @type {number} */ z) => z * state.scale);
      const most = Math.max(...score);
      [score, score.map((/** @type {number} */ z) => z - most)].forEach((exponents, which) => {
        const places = exponents.map((/** @type {number} */ z) => clamp((z - from) / (to - from), 0, 1));
        const levels = stacked(places, APART);
        dots[which].forEach((dot, k) => {
          dot.style.left = percent(places[k]);
          dot.style.top = `${1.25 * levels[k]}rem`;
        });
        lanes[which].style.height = `${1.25 * (Math.max(...levels) + 1)}rem`;
      });
    };
  },

  summary({ dtype }, results) {
    const [naive, stable] = /** @type {number[]} */ ([results["naive-loss"], results["stable-loss"]]);
    const [g, good] = /** @type {number[][]} */ ([results["naive-gradient"], results["stable-gradient"]]);
    const where = results["breaks-at"];
    if (where === "z") return "The dtype cannot hold the logits themselves. No formula gets them back.";
    // What a few roundings do to the loss is no fault; nor is what the digits shown do not tell.
    const rounded = 4 * 2 ** -FORMATS[/** @type {import("./maths.js").Dtype} */ (dtype)].digits * Math.abs(stable);
    const exact = Math.abs(naive - stable) <= rounded;
    const right = exact || show(naive) === show(stable);
    const shifted = `Shifted, in the same arithmetic, it is ${show(stable)}`;
    if (where !== "nowhere") {
      const worth = Number.isFinite(naive) ? (exact ? ", which is right" : right ? ", right in the digits shown" : ", which is wrong") : "";
      const spoilt = g.every(Number.isFinite) ? "" : `, ${right ? "but" : "and"} its gradient has ${unruly(g)} in it`;
      return `The naive route breaks at ${where}. The naive loss is ${show(naive)}${worth}${spoilt}. ${shifted}.`;
    }
    const losses = `the naive loss is ${show(naive)}, the shifted one ${show(stable)}`;
    if (g.some((x, k) => Math.abs(x - good[k]) > 0.1))
      return `Nothing is infinite: ${losses}. Yet the naive gradient is wrong: it adds up to ${show(g.reduce((sum, x) => sum + x, 0))}, not to 0.`;
    if (!right) return `Nothing is infinite, yet digits are lost: ${losses}.`;
    return `Nothing breaks: ${losses}.`;
  },

  python: ({ logits, scale, dtype }) => `import torch

dtype = torch.${dtype}
z = (${python(scale)} * torch.tensor(${python(logits)}, dtype=torch.float64)).to(dtype)
print("score", z.tolist())

# As written; class 0 is true.
leaf = z.clone().requires_grad_()
exponential = leaf.exp()
total = exponential.sum()
p = exponential / total
loss = -p[0].log()
loss.backward()
print("exponential", exponential.tolist())
print("total", total.item())
print("probability", p.tolist())
print("naive-loss", loss.item())
print("naive-gradient", leaf.grad.tolist())

# Shifted by the largest.
top = z.argmax()
shifted = z - z[top]
exponential = shifted.exp()
others = exponential.clone()
others[top] = 0
total = 1 + others.sum()
gradient = exponential / total
gradient[0] = -exponential[1:].sum() / total
print("shifted-score", shifted.tolist())
print("shifted-exponential", exponential.tolist())
print("shifted-total", total.item())
print("stable-loss", (z[top] - z[0] + others.sum().log1p()).item())
print("stable-gradient", gradient.tolist())
`,
};

export default frame(LAB);
