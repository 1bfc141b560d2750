// @ts-check
/** GradientLab: let the logits walk down their own gradient. Chapter "gradient". */
import { chance, clamp, h, percent, python, show, subscript, svg, tell } from "./dom.js";
import { frame } from "./frame.js";
import { BOUND, cleanLogits, logit } from "./logits.js";
import { descend, gradient, loss, softmax } from "./maths.js";
import { place, triangle } from "./simplex.js";

/** @typedef {import("./frame.js").State} State */

const SLOWEST = 0.001;
const FASTEST = 100;
const MOST_STEPS = 1000;
const RUN = 100;
const STRIDE_MILLISECONDS = 25;
// Nats on each contour of the triangle: there the true class has exp(-level).
const LEVELS = [0.1, 0.3, 0.7, 1.5, 3];
// The curve's drawing: width and height of the plot itself, and how far its axis reaches.
const CURVE = { width: 190, height: 160, steps: [20, 50, 100, 200, 500, 1000] };
// Shorter than this, an arrow is but its head.
const SHORTEST_ARROW = 1.5;

const fixed = (/** @type {number[]} */ point) => point.map((x) => x.toFixed(2));

/** A state never changes, and its walk is asked for by every control. @type {WeakMap<State, number[][]>} */
const walks = new WeakMap();

/** The logits after 0, 1, ... steps. @param {State} state @returns {number[][]} */
function walk(state) {
  let path = walks.get(state);
  if (!path) walks.set(state, (path = descend(state.logits, state.target, state.learning_rate, state.steps)));
  return path;
}

/** Where the logits stand. @param {State} state @returns {number[]} */
const here = (state) => walk(state)[state.steps];
/** A new walk from here. @param {State} state */
const afresh = (state) => ({ logits: here(state).map((z) => clamp(z, -BOUND, BOUND)), steps: 0 });

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "gradient",
  label: "Gradient lab",
  hint: "Take a step: every logit moves by the learning rate times its bar y − p. Move a logit or the target, and the walk begins there.",

  clean({ logits, target, learning_rate, steps }, start) {
    const kept = cleanLogits(logits, start.logits);
    return {
      logits: kept,
      target: clamp(Math.round(target), 0, kept.length - 1) || 0,
      learning_rate: clamp(learning_rate, SLOWEST, FASTEST),
      steps: clamp(Math.round(steps), 0, MOST_STEPS) || 0,
    };
  },

  results(state) {
    const z = here(state);
    return { probability: softmax(z), gradient: gradient(z, state.target), loss: loss(z, state.target), steps: state.steps };
  },

  format: (quantity, value) => (quantity === "probability" ? chance(value) : quantity === "steps" ? String(value) : (quantity === "gradient" && value > 0 ? "+" : "") + show(value)),

  build(ui) {
    const rows = h("div", { class: "ce-rows" });
    const target = h("div", {});
    /** @type {Record<"p" | "y" | "push", HTMLElement>[]} */
    let bars = [];

    const key = (/** @type {string} */ kind, /** @type {string} */ text) => h("span", { class: "ce-keyed" }, h("span", { class: `ce-bar ${kind}`, "aria-hidden": "true" }), text);
    const row = (/** @type {number} */ k) => {
      bars[k] = { p: h("div", { class: "ce-bar" }), y: h("div", { class: "ce-bar ce-truth" }), push: h("div", { class: "ce-bar ce-move" }) };
      return h(
        "div",
        { class: "ce-pushed", role: "group", "aria-label": `class ${k}` },
        logit(ui, k, 10, {
          get: (state) => here(state)[k],
          set: (state, value) => {
            const { logits } = afresh(state);
            logits[k] = value;
            return { logits, steps: 0 };
          },
        }),
        h("div", { class: "ce-track", "aria-hidden": "true" }, bars[k].y, bars[k].p, bars[k].push),
        ui.output("probability", `p${subscript(k)}`, k),
        ui.output("gradient", `p${subscript(k)} − y${subscript(k)}`, k),
      );
    };

    const targets = (/** @type {number} */ count) =>
      ui.choice({
        name: "target",
        label: "True class",
        options: Array.from({ length: count }, (_, k) => /** @type {[string, string]} */ ([String(k), `class ${k}`])),
        get: (state) => String(state.target),
        set: (state, value) => ({ ...afresh(state), target: Number(value) }),
      });

    const stepButton = ui.button("step", "Step", () => ui.set({ steps: ui.state().steps + 1 }));
    const runButton = ui.button("run", "", () => {
      const end = Math.min(ui.state().steps + RUN, MOST_STEPS);
      ui.play(({ steps }) => (steps < end ? { steps: steps + 1 } : null), STRIDE_MILLISECONDS);
    });

    const simplex = triangle();
    const lines = LEVELS.map(() => svg("path", { class: "ce-level" }));
    const names = LEVELS.map((level) => svg("text", { "text-anchor": "middle" }, String(level)));
    const [trail, dots, shaft, head] = ["ce-trail", "ce-dots", "ce-shaft", "ce-head"].map((name) => svg("path", { class: name }));
    const point = svg("circle", { class: "ce-here", r: 1.8 });
    simplex.append(...lines, ...names, trail, dots, point, shaft, head);
    const map = h(
      "div",
      {},
      simplex,
      h("p", { class: "ce-hint" }, "Where p stands. On each line the loss is the same; the arrow is the next step."),
    );

    const curve = svg("path", { class: "ce-trail" });
    const now = svg("circle", { class: "ce-here", r: 3.5 });
    // The ends of both axes and what lies between, of which only the text changes.
    const tick = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ anchor) => svg("text", { x, y, "text-anchor": anchor });
    const across = [0, 0.5, 1].map((part) => tick(part * CURVE.width, CURVE.height + 11, "middle"));
    const upward = [0, 0.5, 1].map((part) => tick(-4, CURVE.height * (1 - part) + 3, "end"));
    const chart = h(
      "div",
      {},
      svg(
        "svg",
        { class: "ce-drawing ce-chart", viewBox: `-31 -10 ${CURVE.width + 41} ${CURVE.height + 26}`, "aria-hidden": "true" },
        svg("path", { class: "ce-frame", d: `M0,0V${CURVE.height}H${CURVE.width}` }),
        ...across,
        ...upward,
        curve,
        now,
      ),
      h("p", { class: "ce-hint" }, "The loss in nats after each step."),
    );

    const contours = (/** @type {number} */ true_) => {
      const others = [0, 1, 2].filter((k) => k !== true_);
      LEVELS.forEach((level, j) => {
        const share = Math.exp(-level);
        const ends = others.map((other) => place([0, 1, 2].map((k) => (k === true_ ? share : k === other ? 1 - share : 0))));
        lines[j].setAttribute("d", `M${ends.map(fixed).join("L")}`);
        // Beside the middle of the line, where the path of an undecided model does not run.
        const [x, y] = [0, 1].map((axis) => 0.12 * ends[0][axis] + 0.88 * ends[1][axis]);
        names[j].setAttribute("x", x.toFixed(2));
        names[j].setAttribute("y", (y - 1).toFixed(2));
      });
    };

    const drawMap = (/** @type {State} */ state) => {
      const path = walk(state);
      const seen = path.map((z) => place(softmax(z)));
      const from = seen[state.steps];
      const to = place(softmax(descend(path[state.steps], state.target, state.learning_rate, 1)[1]));
      contours(state.target);
      trail.setAttribute("d", `M${seen.map(fixed).join("L")}`);
      dots.setAttribute("d", seen.map((at) => `M${fixed(at)}h0`).join(""));
      point.setAttribute("cx", from[0].toFixed(2));
      point.setAttribute("cy", from[1].toFixed(2));
      const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
      const length = Math.hypot(dx, dy);
      const [ux, uy] = length ? [dx / length, dy / length] : [0, 0];
      const size = Math.min(4, length);
      const neck = [to[0] - size * ux, to[1] - size * uy];
      shaft.setAttribute("d", length > SHORTEST_ARROW ? `M${fixed(from)}L${fixed(neck)}` : "");
      const wings = [0.5, -0.5].map((side) => fixed([neck[0] - side * size * uy, neck[1] + side * size * ux]));
      head.setAttribute("d", length > SHORTEST_ARROW ? `M${fixed(to)}L${wings.join("L")}Z` : "");
    };

    const drawCurve = (/** @type {State} */ state) => {
      const losses = walk(state).map((z) => loss(z, state.target));
      const end = CURVE.steps.find((steps) => steps >= state.steps) ?? MOST_STEPS;
      const top = 2 ** Math.ceil(Math.log2(Math.max(...losses, 0.25)));
      const at = (/** @type {number} */ n) => [(n / end) * CURVE.width, CURVE.height * (1 - losses[n] / top)];
      curve.setAttribute("d", `M${losses.map((_, n) => fixed(at(n))).join("L")}`);
      const [x, y] = fixed(at(state.steps));
      now.setAttribute("cx", x);
      now.setAttribute("cy", y);
      [0, 0.5, 1].forEach((part, j) => {
        tell(across[j], String(part * end));
        tell(upward[j], String(part * top));
      });
    };

    ui.body.append(
      h("div", { class: "ce-hint ce-key" }, key("", "p, what the model says"), key("ce-truth", "y, what is true"), key("ce-move", "p − y, the gradient")),
      rows,
      h(
        "div",
        { class: "ce-pair" },
        target,
        ui.number({
          name: "learning-rate",
          label: "Learning rate η",
          min: SLOWEST,
          max: FASTEST,
          slider: { min: -2, max: 2, step: 0.05, log: true },
          get: (state) => state.learning_rate,
          set: (_, learning_rate) => ({ learning_rate }),
        }),
      ),
      h("div", { class: "ce-buttons ce-go" }, stepButton, runButton, ui.output("steps", "steps"), ui.output("loss", "loss in nats")),
      h("div", { class: "ce-pair ce-views" }, map, chart),
    );

    return (state, results) => {
      const count = state.logits.length;
      if (rows.children.length !== count) {
        bars = [];
        rows.replaceChildren(...state.logits.map((/** @type {number} */ _, /** @type {number} */ k) => row(k)));
        target.replaceChildren(targets(count));
      }
      const p = /** @type {number[]} */ (results.probability);
      const push = /** @type {number[]} */ (results.gradient);
      bars.forEach((bar, k) => {
        bar.p.style.width = percent(p[k] / 2);
        bar.y.style.width = "50%";
        bar.y.hidden = k !== state.target;
        bar.push.style.left = percent(0.5 + Math.min(push[k], 0) / 2);
        bar.push.style.width = percent(Math.abs(push[k]) / 2);
      });
      stepButton.setAttribute("aria-disabled", String(state.steps === MOST_STEPS));
      runButton.setAttribute("aria-disabled", String(state.steps === MOST_STEPS));
      tell(runButton, ui.playing() ? "Pause" : `Run ${RUN} steps`);
      map.hidden = count !== 3;
      if (count === 3) drawMap(state);
      drawCurve(state);
    };
  },

  summary(state, results) {
    const push = /** @type {number[]} */ (results.gradient)[state.target];
    const [p, nats] = [/** @type {number[]} */ (results.probability)[state.target], /** @type {number} */ (results.loss)];
    const first = loss(state.logits, state.target);
    const walked = state.steps ? ` ${state.steps} ${state.steps === 1 ? "step has" : "steps have"} brought the loss from ${show(first)} to ${show(nats)} nats.` : "";
    return `Class ${state.target} is true and has ${chance(p, "more than")}. Its own logit gets a push of ${show(0 - push)}, and the others pay as much together.${walked}`;
  },

  python: ({ logits, target, learning_rate, steps }) => `import torch
import torch.nn.functional as F

z = torch.tensor([${python(logits)}], dtype=torch.float64)
target = torch.tensor([${target}])
y = F.one_hot(target, num_classes=${logits.length})
steps = ${steps}

for _ in range(steps):
    z = z - ${python(learning_rate)} * (torch.softmax(z, dim=1) - y)

z.requires_grad_()
loss = F.cross_entropy(z, target)
loss.backward()  # autograd, to compare: it gives p - y

print("probability", torch.softmax(z, dim=1)[0].tolist())
print("gradient", z.grad[0].tolist())
print("loss", loss.item())
print("steps", steps)
`,
};

export default frame(LAB);
