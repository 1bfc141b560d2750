// @ts-check
/** LossCurveLab: nine bugs and a healthy run, each by its loss curve; then the reverse, as a game. Chapter "interfaces". */
import { h, python, show, svg, tell } from "./dom.js";
import { frame } from "./frame.js";
import { BUGS, STEPS, suspect, train } from "./maths.js";

const UNIFORM = Math.log(3);
const MOST_ROUNDS = 1000;
// In so many rounds each bug comes once.
const GAME = BUGS.length;
const WIDTH = 600;
const HEIGHT = 220;
const LEFT = 92;
const FOOT = 25;
const EDGE = 8;

/** @type {Record<string, { name: string, story: string, call: string }>} */
const ABOUT = {
  none: {
    name: "no bug",
    story: "It starts at log 3, the price of an honest guess, and falls.",
    call: "F.cross_entropy(z, c)",
  },
  "one-column": {
    name: "one output column",
    story: "The softmax of one number is 1, so the loss is 0 from the start. Two columns, or a binary loss.",
    call: "F.cross_entropy(z, torch.zeros_like(c))",
  },
  "softmax-twice": {
    name: "softmax before cross-entropy",
    story: "It starts well and falls, but never below log(1 + 2 / e) = 0.551. Pass raw logits.",
    call: "F.cross_entropy(z.softmax(1), c)",
  },
  epsilon: {
    name: "an epsilon in the logarithm",
    story: "The worst bottle stands at 18.42, which is −log 1e-8. Use cross_entropy, and standardise the features.",
    call: "-(z.softmax(1).gather(1, c.unsqueeze(1)) + 1e-8).log()",
  },
  "probabilities-to-nll": {
    name: "probabilities for nll_loss",
    story: "A negative loss that falls towards −1 is minus a probability. Take log_softmax first.",
    call: "F.nll_loss(z.softmax(1), c)",
  },
  "zero-times-log-zero": {
    name: "0 · log 0 by hand",
    story: "One good value, then NaN for ever: a step that was too large, and 0 times −∞. Use cross_entropy, and a smaller step.",
    call: "-(F.one_hot(c, 3) * z.softmax(1).log()).sum(1).mean()",
  },
  sum: {
    name: 'reduction="sum"',
    story: "It starts at 178 log 3: the loss of all bottles together. Use the mean, or divide by the count.",
    call: 'F.cross_entropy(z, c, reduction="sum")',
  },
  "clamped-sigmoid": {
    name: "a sigmoid before BCELoss",
    story: "The worst bottle comes to 100 and stays: there BCELoss clamps its logarithm. Use BCEWithLogitsLoss.",
    call: 'F.binary_cross_entropy(z.sigmoid()[:, 0], (c == 1).double(), reduction="none")',
  },
  "logits-to-nll": {
    name: "raw logits for nll_loss",
    story: "It starts at 0 and falls without end, because −z has no bottom. Take log_softmax first.",
    call: "F.nll_loss(z, c)",
  },
  "ignored-batches": {
    name: "batches with no label left",
    story: "NaN now and then, and training goes on: the mean over no labels at all. Sum, and divide by a clamped count.",
    call: "F.cross_entropy(z, c)",
  },
};
/** What is odd besides the call, as Python. @type {Record<string, string>} */
const ODD = {
  "one-column": "outputs = 1",
  epsilon: "scale = 1000.0",
  "zero-times-log-zero": "rate = 3000.0",
  sum: "rate = 0.5 / 178",
  "clamped-sigmoid": "outputs, scale = 1, 1000.0",
  "ignored-batches": "batch = 4",
};

/** @type {{ key: string, curve: number[] }} */
let last = { key: "", curve: [] };
/** The bug of the curve that is shown. @param {import("./frame.js").State} state */
const shown = ({ bug, round }) => (round ? suspect(round) : bug);
/** A run takes longer than a frame: dragging the step must not repeat it. @param {import("./frame.js").State} state */
function run(state) {
  const key = `${shown(state)} ${state.round}`;
  if (last.key !== key) last = { key, curve: train(shown(state), state.round) };
  return last.curve;
}
const across = (/** @type {number} */ step) => LEFT + (step / (STEPS - 1)) * (WIDTH - EDGE - LEFT);
const ended = (/** @type {import("./frame.js").State} */ state) => state.round > 0 && state.round % GAME === 0 && !hidden(state);
const hidden = (/** @type {import("./frame.js").State} */ { round, guess }) => round > 0 && guess === "open";

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "loss-curve",
  label: "Loss-curve detective",
  hint: "A linear model on the wine, trained in this page for 300 steps. Pick a bug and see its curve; then play.",

  clean({ bug, step, round, guess, score }, start) {
    const count = (/** @type {number} */ n) => Math.min(Math.max(Math.floor(n), 0), MOST_ROUNDS);
    return {
      bug: BUGS.includes(bug) ? bug : start.bug,
      step: Math.min(Math.max(Math.round(step), 0), STEPS - 1) || 0,
      round: count(round),
      guess: BUGS.includes(guess) ? guess : "open",
      score: Math.min(count(score), count(round)),
    };
  },

  results(state) {
    const curve = run(state);
    return {
      "start-loss": curve[0],
      loss: curve[state.step],
      "nan-steps": curve.filter(Number.isNaN).length,
      answer: hidden(state) ? "hidden" : shown(state),
      round: state.round,
      score: state.score,
    };
  },

  format(quantity, value) {
    if (quantity.endsWith("loss")) return show(value);
    return quantity === "round" && value ? `${((value - 1) % GAME) + 1} of ${GAME}` : String(value);
  },

  words: Object.fromEntries(Object.entries(ABOUT).map(([bug, { name }]) => [bug, name])),

  build(ui) {
    const line = svg("path", { class: "ce-curve ce-main" });
    const crosses = svg("path", { class: "ce-curve ce-lost" });
    const uniform = svg("line", { class: "ce-level ce-dashes", x1: LEFT, x2: WIDTH });
    const uniformLabel = svg("text", { x: WIDTH - EDGE, "text-anchor": "end" }, "log 3");
    const cursor = svg("line", { class: "ce-level", y1: 0, y2: HEIGHT - FOOT });
    const dot = svg("circle", { class: "ce-main-dot", r: 5 });
    const labels = ["start", "end"].map(() => svg("text", { x: LEFT - 6, "text-anchor": "end" }));
    const picture = svg(
      "svg",
      { class: "ce-drawing ce-run", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
      svg("path", { class: "ce-frame", d: `M${LEFT} 0V${HEIGHT - FOOT}H${WIDTH}` }),
      uniform,
      uniformLabel,
      cursor,
      crosses,
      line,
      dot,
      ...labels,
      ...[0, 100, 200, STEPS - 1].map((step) =>
        svg("text", { x: across(step), y: HEIGHT - 5, "text-anchor": step > 200 ? "end" : "middle" }, String(step)),
      ),
    );

    const play = ui.button("play", "", () => {
      ui.set(ui.state().round ? { round: 0, guess: "open", score: 0 } : { round: 1, guess: "open", score: 0 });
    });
    const answer = ui.button("answer", "That is my answer", () => {
      const { bug, round, score } = ui.state();
      ui.set({ guess: bug, score: score + (bug === suspect(round) ? 1 : 0) });
    });
    const next = ui.button("next", "", () => {
      const { round, score } = ui.state();
      ui.set({ round: (round % MOST_ROUNDS) + 1, guess: "open", score: round % GAME ? score : 0 });
    });
    const tally = h("div", { class: "ce-facts" }, ui.output("round", "round"), ui.output("score", "named so far"));
    const choice = ui.choice({
      name: "bug",
      label: "The bug",
      options: BUGS.map((bug) => [bug, ABOUT[bug].name]),
      get: (state) => (state.round && state.guess !== "open" ? state.guess : state.bug),
      set: (_, bug) => ({ bug }),
    });

    choice.classList.add("ce-wide");
    ui.body.append(
      choice,
      h("div", { class: "ce-buttons" }, play, answer, next),
      tally,
      picture,
      ui.number({
        name: "step",
        label: "Read at step",
        min: 0,
        max: STEPS - 1,
        whole: true,
        slider: { min: 0, max: STEPS - 1, step: 1 },
        get: (state) => state.step,
        set: (_, step) => ({ step }),
      }),
      h(
        "div",
        { class: "ce-facts" },
        ui.output("start-loss", "first loss"),
        ui.output("loss", "loss at this step"),
        ui.output("nan-steps", "steps without one (NaN)"),
        ui.output("answer", "curve"),
      ),
    );

    let drawn = /** @type {number[]} */ ([]);
    let [low, high] = [0, 1];
    const up = (/** @type {number} */ loss) => EDGE + ((high - loss) / (high - low || 1)) * (HEIGHT - FOOT - 2 * EDGE);

    function draw(/** @type {number[]} */ curve) {
      const finite = curve.filter(Number.isFinite);
      [low, high] = [Math.min(...finite, 0), Math.max(...finite, 0)];
      // Where log 3 would not squash the curve, it is in the picture.
      const near = high < 10 * UNIFORM && low > -10 * UNIFORM;
      if (high < 2 * UNIFORM && low > -2 * UNIFORM) high = Math.max(high, UNIFORM);
      let pen = "M";
      line.setAttribute(
        "d",
        curve
          .map((loss, step) => {
            const move = pen;
            pen = Number.isNaN(loss) ? "M" : "L";
            // A lone point between two NaN is drawn as a dot.
            return Number.isNaN(loss) ? "" : `${move}${across(step).toFixed(1)} ${up(loss).toFixed(1)}${move === "M" ? "h.01" : ""}`;
          })
          .join(""),
      );
      const foot = HEIGHT - FOOT;
      crosses.setAttribute(
        "d",
        curve.map((loss, step) => (Number.isNaN(loss) ? `M${(across(step) - 3).toFixed(1)} ${foot - 8}l6 6m-6 0l6 -6` : "")).join(""),
      );
      for (const element of [uniform, uniformLabel]) element.toggleAttribute("hidden", !near || UNIFORM > high);
      uniform.setAttribute("y1", up(UNIFORM));
      uniform.setAttribute("y2", up(UNIFORM));
      uniformLabel.setAttribute("y", Math.max(up(UNIFORM) - 4, 2.5 * EDGE + 4));
      [low, high].forEach((loss, k) => {
        labels[k].textContent = show(loss, 2);
        labels[k].setAttribute("y", Math.max(up(loss) + 4, 2 * EDGE));
      });
    }

    return (state, results) => {
      const curve = run(state);
      if (drawn !== curve) draw((drawn = curve));
      const at = state.step;
      const lost = Number.isNaN(curve[at]);
      cursor.setAttribute("x1", across(at));
      cursor.setAttribute("x2", across(at));
      dot.toggleAttribute("hidden", lost);
      dot.setAttribute("cx", across(at));
      dot.setAttribute("cy", lost ? 0 : up(curve[at]));
      tally.hidden = state.round === 0;
      tell(play, state.round ? "Stop playing" : `Play: name ${GAME} bugs`);
      answer.setAttribute("aria-disabled", String(!hidden(state)));
      next.setAttribute("aria-disabled", String(!state.round || hidden(state)));
      tell(next, ended(state) ? "Another ten" : "Next curve");
      // What was answered stands.
      /** @type {HTMLSelectElement} */ (choice.querySelector("select")).disabled = state.round > 0 && !hidden(state);
      tell(/** @type {HTMLElement} */ (choice.querySelector("span")), state.round ? "Your answer" : "The bug");
    };
  },

  summary(state, results) {
    const { round, guess, score } = state;
    const loss = /** @type {number} */ (results.loss);
    const reading = `At step ${state.step} its loss is ${show(loss)}.`;
    if (hidden(state)) return `Which bug has this curve? ${reading}`;
    const { name, story } = ABOUT[shown(state)];
    if (!round) return `The curve of ${name}. ${story} ${reading}`;
    const total = ended(state) ? ` That was the last of ${GAME} curves: you named ${score}.` : "";
    return `${guess === shown(state) ? `Right: ${name}.` : `You said: ${ABOUT[guess].name}. It was: ${name}.`} ${story}${total}`;
  },

  python(state) {
    if (hidden(state)) {
      const curve = run(state);
      return `# The code of the run would give the answer away.
print("start-loss", ${python(curve[0])})
print("loss", ${python(curve[state.step])})
print("nan-steps", ${curve.filter(Number.isNaN).length})
print("answer", "'hidden'")
`;
    }
    const bug = shown(state);
    const batch = bug === "ignored-batches";
    return `import math

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine

outputs, rate, scale, batch = 3, 0.5, 1.0, 0
${ODD[bug] ?? "# nothing else is odd"}

def loss(z, c):
    return ${ABOUT[bug].call}

def random(seed):
    state = seed * 2654435761 % 2**32
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state / 2**32

wine = load_wine()
columns = [wine.feature_names.index(name) for name in ("alcohol", "flavanoids")]
x = torch.tensor(wine.data[:, columns])
x = scale * (x - x.mean(0)) / x.std(0, correction=0)
y = torch.tensor(wine.target)

draw = random(${state.round})
first = [[0.035 * (next(draw) - 0.5) for _ in range(outputs)] for _ in range(2)]
W = torch.tensor(first, dtype=torch.float64, requires_grad=True)
b = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
${batch ? "y = torch.tensor([-100 if next(draw) < 0.75 else c for c in y.tolist()])\n" : ""}optimizer = torch.optim.SGD([W, b], lr=rate)
curve = []
for _ in range(${STEPS}):
    rows = [math.floor(next(draw) * len(y)) for _ in range(batch)] or slice(None)
    value = loss(x[rows] @ W + b, y[rows])
    optimizer.zero_grad()
    value.mean().backward()
    optimizer.step()
    curve.append(value.max().item())  # of the worst bottle, if there is one value a bottle

print("start-loss", curve[0])
print("loss", curve[${state.step}])
print("nan-steps", sum(map(math.isnan, curve)))
print("answer", "'${bug}'")
`;
  },
};

export default frame(LAB);
