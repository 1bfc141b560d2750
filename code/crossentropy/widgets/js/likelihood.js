// @ts-check
/** LikelihoodLab: turn the weights, and see how probable the labels become. Chapter "likelihood". */
import { chance, clamp, h, percent, python, show, subscript, superscript, svg, tell } from "./dom.js";
import { frame } from "./frame.js";
import { affine, loss, newtonPath, product, region } from "./maths.js";
import { loadWine } from "./wine.js";

/** @typedef {import("./frame.js").State} State */

const wine = loadWine();
// As in Python: the list is sorted by grower. In steps of this length, round and round, every grower comes early and each bottle once.
const STRIDE = 71;
const order = wine.y.map((_, i) => (STRIDE * i) % wine.y.length);
const X = order.map((i) => wine.x[i]);
const Y = order.map((i) => wine.y[i]);

const BOUND = 100;
const MOST_SAMPLES = 5000;
const GROWERS = [0, 1, 2];
// With fewer of the bottles some direction of the weights lowers J for ever: a linear programme says so, in Python's tests.
const OVERLAP_FROM = 48;
// There the fit stops before a number passes this. With more bottles the best weights stay below it by themselves.
const LARGEST = 12;
const FRAME_MILLISECONDS = 150;
// What the drawing shows, in standard deviations; and its units in one of them.
const VIEW = { left: -2.7, right: 2.7, low: -2, high: 3.4 };
const SCALE = 50;
const BOX = [
  [VIEW.left, VIEW.low],
  [VIEW.right, VIEW.low],
  [VIEW.right, VIEW.high],
  [VIEW.left, VIEW.high],
];
// Of a smaller region, in squared standard deviations, the name would lie over its neighbours; and half a name's width.
const NAMED_AREA = 1.5;
const NAME_ROOM = 34;
// A marker for each grower, of about the same area, round (0, 0).
const SHAPES = [
  (/** @type {number} */ s) => `m${4 * s},0a${4 * s},${4 * s} 0 1 1 ${-8 * s},0a${4 * s},${4 * s} 0 1 1 ${8 * s},0z`,
  (/** @type {number} */ s) => `m${-3.5 * s},${-3.5 * s}h${7 * s}v${7 * s}h${-7 * s}z`,
  (/** @type {number} */ s) => `m0,${-4.6 * s}l${4.7 * s},${8.2 * s}h${-9.4 * s}z`,
];
// The line of J.
const LINE = { max: 2, ticks: [0, 0.5, 1, 1.5, 2] };

const at = (/** @type {number[]} */ [x, y]) => `${(SCALE * (x - VIEW.left)).toFixed(1)},${(SCALE * (VIEW.high - y)).toFixed(1)}`;

/** @param {number[][]} corners */
const area = (corners) => Math.abs(corners.reduce((sum, [x, y], k) => sum + x * corners[(k + 1) % corners.length][1] - y * corners[(k + 1) % corners.length][0], 0)) / 2;

/** How often each bottle occurs. @param {number} samples */
const counts = (samples) => Y.map((_, i) => Math.ceil(Math.max(samples - i, 0) / Y.length));

/** The growers that have the same column of W and the same bias as grower k: their scores tie everywhere. @param {State} state @param {number} k */
const tied = ({ weight, bias }, k) => GROWERS.filter((j) => [weight.slice(0, 3), weight.slice(3), bias].every((row) => row[j] === row[k]));

/** -log of what each bottle's own grower gets. @param {State} state @returns {number[]} */
const surprises = ({ weight, bias }) => X.map((x, i) => loss(affine(x, weight, bias), Y[i]));

/** The weights on the way to the best ones. @param {number} samples */
function fit(samples) {
  const used = Math.min(samples, Y.length);
  return newtonPath(X.slice(0, used), Y.slice(0, used), counts(samples).slice(0, used), GROWERS.length, samples < OVERLAP_FROM ? LARGEST : BOUND);
}

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "likelihood",
  label: "Likelihood lab",
  hint: "Turn W and b until the bottles surprise you least, or let them be fitted. Then take more samples, and watch L.",

  clean({ weight, bias, samples }, start) {
    const all = (/** @type {number[]} */ values, /** @type {number[]} */ good) => (values.length === good.length ? values : good).map((v) => clamp(v, -BOUND, BOUND));
    return { weight: all(weight, start.weight), bias: all(bias, start.bias), samples: clamp(Math.round(samples), 1, MOST_SAMPLES) || 1 };
  },

  results(state) {
    const { samples } = state;
    const paid = surprises(state);
    const factors = paid.map((nats) => Math.exp(-nats));
    const times = counts(samples);
    const total = paid.reduce((sum, nats, i) => sum + times[i] * nats, 0);
    return {
      "sample-probability": factors.slice(0, samples),
      "likelihood-float32": product(factors, samples, true),
      "likelihood-float64": product(factors, samples),
      "log-likelihood": 0 - total,
      cost: total / samples,
    };
  },

  build(ui) {
    const cell = (/** @type {"weight" | "bias"} */ name, /** @type {number} */ index, /** @type {string} */ label) =>
      ui.number({
        name,
        index,
        label,
        min: -BOUND,
        max: BOUND,
        slider: { min: -8, max: 8, step: 0.1 },
        get: (state) => state[name][index],
        set: (state, value) => ({ [name]: state[name].map((/** @type {number} */ v, /** @type {number} */ k) => (k === index ? value : v)) }),
      });
    const group = (/** @type {string} */ title, /** @type {(k: number) => HTMLElement} */ make) =>
      h("div", { class: "ce-weights", role: "group", "aria-label": title }, h("p", { class: "ce-hint" }, title), ...GROWERS.map(make));

    const regions = GROWERS.map((k) => svg("path", { class: `ce-region ce-class-${k}` }));
    const names = GROWERS.map((k) => svg("text", { class: "ce-region-name", "text-anchor": "middle" }, `grower ${k}`));
    // One path for all bottles of a grower, used or not: a browser paints six quickly, and 178 slowly.
    const [usedBottles, unusedBottles] = ["", " ce-unused"].map((more) => GROWERS.map((k) => svg("path", { class: `ce-bottle ce-class-${k}${more}` })));
    const places = X.map(at);
    const size = [SCALE * (VIEW.right - VIEW.left), SCALE * (VIEW.high - VIEW.low)];
    const drawing = svg("svg", { class: "ce-drawing", viewBox: `-14 0 ${size[0] + 14} ${size[1] + 14}`, "aria-hidden": "true" }, ...regions);
    drawing.append(
      ...unusedBottles,
      ...usedBottles,
      ...names,
      svg("text", { x: size[0] / 2, y: size[1] + 11, "text-anchor": "middle" }, "alcohol, standardised →"),
      svg("text", { x: -4, y: size[1] / 2, "text-anchor": "middle", transform: `rotate(-90 -4 ${size[1] / 2})` }, "flavanoids, standardised →"),
    );

    const [present, best, blind] = ["ce-dot", "ce-best", "ce-blind"].map((name) => h("div", { class: name }));
    blind.style.left = percent(Math.log(GROWERS.length) / LINE.max);
    const seen = h("span", { class: "ce-hint" });
    /** The least J in this page, by the number of samples. @type {Map<number, number>} */
    const least = new Map();

    const fitButton = ui.button("fit", "", () => {
      const path = fit(ui.state().samples);
      let step = 0;
      const patch = () => ({ weight: path[step].slice(0, 6), bias: path[step++].slice(6) });
      ui.play(() => (step < path.length ? patch() : null), FRAME_MILLISECONDS);
    });

    const list = h("div", { class: "ce-list" });

    ui.body.append(
      h(
        "div",
        { class: "ce-wine" },
        h("div", {}, drawing, h("p", { class: "ce-hint" }, "● grower 0, ■ grower 1, ▲ grower 2; larger, the more surprising the label. Each region belongs to the most probable grower.")),
        h(
          "div",
          { class: "ce-rows" },
          group("Alcohol: weights to growers 0, 1, 2", (k) => cell("weight", k, `W₀${subscript(k)}`)),
          group("Flavanoids: weights to growers 0, 1, 2", (k) => cell("weight", 3 + k, `W₁${subscript(k)}`)),
          group("Bias of growers 0, 1, 2", (k) => cell("bias", k, `b${subscript(k)}`)),
          h("div", { class: "ce-buttons" }, fitButton),
        ),
      ),
      h(
        "div",
        { class: "ce-pair" },
        ui.number({
          name: "samples",
          label: `Samples m (from ${Y.length + 1} on the list begins again)`,
          min: 1,
          max: MOST_SAMPLES,
          whole: true,
          slider: { min: 0, max: 3.7, step: 0.01, log: true },
          get: (state) => state.samples,
          set: (_, samples) => ({ samples }),
        }),
        h(
          "div",
          { class: "ce-rows" },
          ui.output("likelihood-float32", "L in float32"),
          ui.output("likelihood-float64", "L in float64"),
          ui.output("log-likelihood", "ℓ in nats"),
          ui.output("cost", "J in nats a sample"),
        ),
      ),
      h(
        "div",
        {},
        h(
          "div",
          { class: "ce-line", "aria-hidden": "true" },
          h("div", { class: "ce-lane" }, blind, best, present),
          h("div", { class: "ce-axis" }, ...LINE.ticks.map((t) => h("span", { style: `left:${percent(t / LINE.max)}` }, String(t)))),
        ),
        seen,
      ),
      h("details", {}, h("summary", {}, "What the model gave to each bottle's own grower"), list),
    );

    return (state, results) => {
      const { weight, bias, samples } = state;
      const used = Math.min(samples, Y.length);
      if (list.children.length !== used) {
        const kept = [...list.children].slice(0, used);
        for (let i = kept.length; i < used; i++) kept.push(ui.output("sample-probability", `${i + 1}, grower ${Y[i]}`, i));
        list.replaceChildren(...kept);
      }
      GROWERS.forEach((k) => {
        const same = tied(state, k);
        // Where all tie there is no region; where two do, one for both.
        const corners = same.length === GROWERS.length || same[0] !== k ? [] : region(weight, bias, k, BOX);
        tell(names[k], `grower ${same.join(" or ")}`);
        regions[k].setAttribute("d", corners.length ? `M${corners.map(at).join("L")}Z` : "");
        names[k].toggleAttribute("hidden", area(corners) < NAMED_AREA);
        const centre = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / (corners.length || 1));
        const [x, y] = at(centre).split(",");
        names[k].setAttribute("x", String(clamp(Number(x), NAME_ROOM, size[0] - NAME_ROOM)));
        names[k].setAttribute("y", String(clamp(Number(y), 12, size[1] - 6)));
      });
      const marks = [usedBottles, unusedBottles].map(() => GROWERS.map(() => ""));
      surprises(state).forEach((nats, i) => {
        marks[i < used ? 0 : 1][Y[i]] += `M${places[i]}${SHAPES[Y[i]](Math.round(70 + 50 * Math.min(nats, 4)) / 100)}`;
      });
      [usedBottles, unusedBottles].forEach((paths, which) => {
        paths.forEach((path, k) => path.setAttribute("d", marks[which][k]));
      });
      const J = /** @type {number} */ (results.cost);
      const smallest = Math.min(J, least.get(samples) ?? Infinity);
      least.set(samples, smallest);
      present.classList.toggle("ce-beyond", J > LINE.max);
      present.style.left = percent(J / LINE.max);
      best.style.left = percent(smallest / LINE.max);
      tell(seen, `The dot is J, the upright line the best J seen with these samples: ${show(smallest)}. The dotted line is log 3 = ${show(Math.log(3))}, the cost of knowing nothing.`);
      tell(fitButton, ui.playing() ? "Pause" : "Fit");
    };
  },

  summary({ weight, bias, samples }, results) {
    const [single, double, ell, J] = ["likelihood-float32", "likelihood-float64", "log-likelihood", "cost"].map((name) => /** @type {number} */ (results[name]));
    const used = Math.min(samples, Y.length);
    const right = X.slice(0, used).filter((x, i) => {
      const z = affine(x, weight, bias);
      return z.every((score) => score <= z[Y[i]]);
    }).length;
    const exact = ell / Math.LN10;
    const gone = [single === 0 ? "float32" : "", double === 0 ? "float64" : ""].filter(Boolean);
    const wrong = Math.abs(Math.log(single) - ell) > 0.01;
    const bottles = used === 1 ? "bottle lies" : "bottles lie";
    let sentence = tied({ weight, bias }, 0).length === GROWERS.length ? "All growers are equally probable everywhere: no region is anybody's." : `${right} of ${used} ${bottles} in their grower's region.`;
    sentence += ` J = ${show(J)}: a typical label had the probability ${chance(Math.exp(-J), "more than")}.`;
    if (gone.length) sentence += ` Together the labels have the probability 10${superscript(Math.round(exact))}, and ${gone.join(" and ")} ${gone.length > 1 ? "say" : "says"} 0; ℓ is an ordinary number.`;
    else if (wrong) sentence += " In float32 L is not 0 and yet wrong: it has come to the smallest numbers that there are.";
    if (samples < OVERLAP_FROM) sentence += ` ${samples === 1 ? "This one sample is" : `These ${samples} samples are`} separable, at least in part: no best weights exist, J falls for ever along some way, and a fit stops before a weight passes ${LARGEST}.`;
    return sentence;
  },

  python: ({ weight, bias, samples }) => `import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine

wine = load_wine()
x = torch.tensor(wine.data[:, [0, 6]])  # alcohol, flavanoids
x = (x - x.mean(0)) / x.std(0, correction=0)
y = torch.tensor(wine.target)
bottles = 71 * torch.arange(${samples}) % 178  # the growers take turns
x, y = x[bottles], y[bottles]

W = torch.tensor(${python(weight)}, dtype=torch.float64).reshape(2, 3)
b = torch.tensor(${python(bias)}, dtype=torch.float64)
log_probs = torch.log_softmax(x @ W + b, dim=1)
chosen = log_probs.gather(1, y[:, None])[:, 0]

def product(factors):
    value = torch.ones((), dtype=factors.dtype)
    for factor in factors:  # one after another
        value = value * factor
    return value.item()

print("sample-probability", chosen[:178].exp().tolist())
print("likelihood-float32", product(chosen.exp().float()))
print("likelihood-float64", product(chosen.exp()))
print("log-likelihood", chosen.sum().item())
print("cost", F.cross_entropy(x @ W + b, y).item())
`,
};

export default frame(LAB);
