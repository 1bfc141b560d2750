// @ts-check
/** SoftmaxLab: hold the logits, and see what moves and what does not. Chapter "softmax". */
import { chance, clamp, h, percent, python, round, show, subscript, tell } from "./dom.js";
import { frame } from "./frame.js";
import { BOUND, FEWEST, MOST, cleanLogits, logit } from "./logits.js";
import { logSoftmax, logsumexp, softmax } from "./maths.js";

const COLDEST = 0.001;
const HOTTEST = 1000;
// How far the line on which scores and log-sum-exp stand may reach to both sides, and where on it the ticks are.
const REACH = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const TICKS = [-1, -0.5, 0, 0.5, 1];

/** The scores that softmax sees. @param {import("./frame.js").State} state @returns {number[]} */
const scores = ({ logits, temperature, shift }) => logits.map((/** @type {number} */ z) => (z + shift) / temperature);

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "softmax",
  label: "Softmax lab",
  hint: "Move one thing. Each number tells if it rose ▲, fell ▼ or stayed =.",
  marks: true,

  clean({ logits, temperature, shift }, start) {
    return {
      logits: cleanLogits(logits, start.logits),
      temperature: clamp(temperature, COLDEST, HOTTEST),
      shift: clamp(shift, -BOUND, BOUND),
    };
  },

  results(state) {
    const s = scores(state);
    return {
      probability: softmax(s),
      "log-probability": logSoftmax(s),
      odds: s.map((score) => Math.exp(score - s[0])),
      "log-sum-exp": logsumexp(s),
    };
  },

  // A large shift leaves each score fewer digits after the point.
  slack: ({ logits, temperature, shift }) => (4 * Number.EPSILON * (Math.max(...logits.map(Math.abs)) + Math.abs(shift))) / temperature,

  format: (quantity, value) => (quantity === "probability" ? chance(value) : show(value)),

  build(ui) {
    const rows = h("div", { class: "ce-rows" });
    const line = h("div", { class: "ce-line" });
    /** @type {HTMLElement[]} */
    let bars = [];
    /** @type {HTMLElement[]} */
    let dots = [];
    const normaliser = h("div", { class: "ce-normaliser" });
    const ticks = TICKS.map((t) => h("span", { style: `left:${percent((t + 1) / 2)}` }));

    const row = (/** @type {number} */ k) =>
      h(
        "div",
        { class: "ce-row", role: "group", "aria-label": `class ${k}` },
        logit(ui, k, 5),
        h("div", { class: "ce-track", "aria-hidden": "true" }, (bars[k] = h("div", { class: "ce-bar" }))),
        ui.output("probability", `p${subscript(k)}`, k),
        ui.output("log-probability", `log p${subscript(k)}`, k),
        ui.output("odds", `odds p${subscript(k)} : p₀`, k),
      );

    const lane = (/** @type {number} */ k) =>
      h("div", { class: "ce-lane" }, h("div", { class: "ce-gap" }), (dots[k] = h("div", { class: "ce-dot" }, String(k))));

    const resize = (/** @type {number} */ count) => {
      bars = [];
      dots = [];
      const kept = [...rows.children].slice(0, count);
      kept.forEach((element, k) => (bars[k] = element.querySelector(".ce-bar")));
      rows.replaceChildren(...kept);
      for (let k = kept.length; k < count; k++) rows.append(row(k));
      line.replaceChildren(
        ...Array.from({ length: count }, (_, k) => lane(k)),
        normaliser,
        h("div", { class: "ce-axis ce-ends" }, ...ticks),
      );
    };

    const count = () => ui.state().logits.length;
    const add = ui.button("add-class", "Add a class", () => ui.set({ logits: [...ui.state().logits, 0] }));
    const remove = ui.button("remove-class", "Remove the last", () => ui.set({ logits: ui.state().logits.slice(0, -1) }));

    ui.body.append(
      rows,
      h("div", { class: "ce-buttons" }, add, remove),
      h(
        "div",
        { class: "ce-pair" },
        ui.number({
          name: "temperature",
          label: "Temperature T",
          min: COLDEST,
          max: HOTTEST,
          slider: { min: -1.3, max: 1.3, step: 0.05, log: true },
          get: (state) => state.temperature,
          set: (_, temperature) => ({ temperature }),
        }),
        ui.number({
          name: "shift",
          label: "Shift a",
          min: -BOUND,
          max: BOUND,
          slider: { min: -5, max: 5, step: 0.1 },
          get: (state) => state.shift,
          set: (_, shift) => ({ shift }),
        }),
      ),
      h(
        "div",
        {},
        h("p", { class: "ce-hint" }, "Where the scores (z + a) / T stand. The upright line is their log-sum-exp; the gap from a score to it is −log p."),
        h("div", { "aria-hidden": "true" }, line),
        ui.output("log-sum-exp", "log-sum-exp"),
      ),
    );

    return (state, results) => {
      if (rows.children.length !== count()) resize(count());
      add.setAttribute("aria-disabled", String(count() === MOST));
      remove.setAttribute("aria-disabled", String(count() === FEWEST));
      const probability = /** @type {number[]} */ (results.probability);
      const end = /** @type {number} */ (results["log-sum-exp"]);
      const standing = scores(state);
      const farthest = Math.max(Math.abs(end), ...standing.map(Math.abs));
      const reach = REACH.find((far) => far >= farthest) ?? 10 ** Math.ceil(Math.log10(farthest));
      const onLine = (/** @type {number} */ x) => percent((x / reach + 1) / 2);
      ticks.forEach((tick, j) => tell(tick, round(TICKS[j] * reach)));
      normaliser.style.left = onLine(end);
      standing.forEach((score, k) => {
        bars[k].style.width = percent(probability[k]);
        dots[k].style.left = onLine(score);
        const gap = /** @type {HTMLElement} */ (dots[k].previousElementSibling);
        gap.style.left = onLine(score);
        gap.style.right = `calc(100% - ${onLine(end)})`;
      });
    };
  },

  summary(_, results, movement) {
    const probability = /** @type {number[]} */ (results.probability);
    const best = Math.max(...probability);
    const leaders = probability.flatMap((p, k) => (p === best ? [k] : []));
    const who = leaders.length > 1 ? `Classes ${leaders.join(", ").replace(/, (\d+)$/, " and $1")} share the lead, each` : `Class ${leaders[0]} is the most probable,`;
    return `${who} with ${chance(best, "more than")}.${movement}`;
  },

  python: ({ logits, temperature, shift }) => `import torch

z = torch.tensor(${python(logits)}, dtype=torch.float64)
scores = (z + ${python(shift)}) / ${python(temperature)}  # shift, then temperature

print("probability", torch.softmax(scores, dim=0).tolist())
print("log-probability", torch.log_softmax(scores, dim=0).tolist())
print("odds", (scores - scores[0]).exp().tolist())
print("log-sum-exp", torch.logsumexp(scores, dim=0).item())
`,
};

export default frame(LAB);
