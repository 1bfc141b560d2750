// @ts-check
/** BinaryLab: one number instead of two, and the pair that looks right. Chapter "binary". */
import { chance, clamp, h, python, show, svg } from "./dom.js";
import { frame } from "./frame.js";
import { binaryGradient, binaryLoss, sigmoid, softmax } from "./maths.js";

const BOUND = 1000;
const REACH = 6;
// A plot's inner size, and the room for its ticks.
const WIDTH = 300;
const HEIGHT = 170;
const LEFT = 28;
const BOTTOM = 34;

const across = (/** @type {number} */ z) => (WIDTH * (z + REACH)) / (2 * REACH);

/**
 * Axes over the logits from -6 to 6 and the values from 0 to `top`; `inner` clips what is drawn.
 * @param {number} top
 * @param {number[]} ticks
 * @param {string} title
 */
function plot(top, ticks, title) {
  const up = (/** @type {number} */ v) => HEIGHT * (1 - v / top);
  const inner = svg("svg", { x: LEFT, y: 8, width: WIDTH, height: HEIGHT });
  const root = svg(
    "svg",
    { class: "ce-drawing", viewBox: `0 0 ${LEFT + WIDTH + 12} ${HEIGHT + BOTTOM + 8}` },
    ...ticks.flatMap((v) => [
      svg("path", { class: "ce-level", d: `M${LEFT} ${up(v) + 8}h${WIDTH}` }),
      svg("text", { x: LEFT - 6, y: up(v) + 12, "text-anchor": "end" }, String(v)),
    ]),
    ...[-6, -3, 0, 3, 6].map((z) => svg("text", { x: LEFT + across(z), y: HEIGHT + 24, "text-anchor": "middle" }, String(z).replace("-", "−"))),
    svg("text", { x: LEFT + WIDTH, y: HEIGHT + 38, "text-anchor": "end" }, "logit z"),
    inner,
  );
  const figure = h("div", {}, h("p", { class: "ce-hint" }, title), h("div", { "aria-hidden": "true" }, root));
  const line = (/** @type {string} */ kind) => inner.appendChild(svg("path", { class: `ce-curve ${kind}` }));
  const dot = (/** @type {string} */ kind) => inner.appendChild(svg("circle", { class: kind, r: 5 }));
  const trace = (/** @type {Element} */ path, /** @type {(z: number) => number} */ f) =>
    path.setAttribute("d", `M${Array.from({ length: 97 }, (_, k) => k / 8 - REACH).map((z) => `${across(z).toFixed(1)} ${up(f(z)).toFixed(2)}`).join("L")}`);
  const name = (/** @type {number} */ z, /** @type {number} */ v, /** @type {string} */ text, anchor = "start") =>
    inner.append(svg("text", { x: across(z), y: up(v), "text-anchor": anchor }, text));
  return { figure, line, dot, trace, name, up };
}

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "binary",
  label: "Binary lab",
  hint: "Move the logit, then the label. Each number tells if it rose ▲, fell ▼ or stayed =.",
  marks: true,

  clean: ({ logit, label }) => ({ logit: clamp(logit, -BOUND, BOUND), label: clamp(label, 0, 1) }),

  results: ({ logit, label }) => ({
    probability: sigmoid(logit),
    loss: binaryLoss(logit, label),
    gradient: binaryGradient(logit, label),
    "softmax-probability": softmax([0, logit])[1],
    "tempting-probability": softmax([-logit, logit])[1],
  }),

  format: (quantity, value) => (quantity.endsWith("probability") ? chance(value) : show(value)),

  build(ui) {
    const likely = plot(1, [0, 0.5, 1], "Probability. The gap is the gradient.");
    const tempting = likely.line("ce-tempting");
    likely.trace(tempting, (z) => sigmoid(2 * z));
    likely.trace(likely.line("ce-main"), sigmoid);
    likely.trace(likely.line("ce-twin"), (z) => softmax([0, z])[1]);
    likely.name(5.9, 0.36, "σ(z) = softmax([0, z])", "end");
    likely.name(-0.2, 0.78, "softmax([−z, z])", "end");
    const target = likely.line("ce-target");
    const gap = likely.line("ce-push");
    const [temptingDot, mainDot] = [likely.dot("ce-tempting-dot"), likely.dot("ce-main-dot")];

    const cost = plot(REACH, [0, 2, 4, 6], "Loss in nats. The slope is the gradient.");
    cost.trace(cost.line("ce-thin-line"), (z) => binaryLoss(z, 1));
    cost.trace(cost.line("ce-thin-line"), (z) => binaryLoss(z, 0));
    cost.name(-3.9, 4.6, "label 1");
    cost.name(3.9, 4.6, "label 0", "end");
    const mixture = cost.line("ce-main");
    const tangent = cost.line("ce-push");
    const lossDot = cost.dot("ce-main-dot");

    ui.body.append(
      h(
        "div",
        { class: "ce-pair" },
        ui.number({
          name: "logit",
          label: "Logit z",
          min: -BOUND,
          max: BOUND,
          slider: { min: -REACH, max: REACH, step: 0.1 },
          get: ({ logit }) => logit,
          set: (_, logit) => ({ logit }),
        }),
        ui.number({
          name: "label",
          label: "Label y, 0 no, 1 yes",
          min: 0,
          max: 1,
          slider: { min: 0, max: 1, step: 0.05 },
          get: ({ label }) => label,
          set: (_, label) => ({ label }),
        }),
      ),
      h(
        "div",
        { class: "ce-pair" },
        h(
          "div",
          {},
          likely.figure,
          h(
            "div",
            { class: "ce-lines" },
            ui.output("probability", "σ(z)"),
            ui.output("softmax-probability", "softmax([0, z])"),
            ui.output("tempting-probability", "softmax([−z, z])"),
          ),
        ),
        h("div", {}, cost.figure, h("div", { class: "ce-lines" }, ui.output("loss", "loss"), ui.output("gradient", "gradient σ(z) − y"))),
      ),
    );

    return ({ logit, label }, results) => {
      const [p, sure, loss, slope] = ["probability", "tempting-probability", "loss", "gradient"].map((name) => /** @type {number} */ (results[name]));
      const z = clamp(logit, -REACH, REACH);
      const put = (/** @type {Element} */ dot, /** @type {number} */ y) => {
        dot.setAttribute("cx", String(across(z)));
        dot.setAttribute("cy", String(y));
        dot.classList.toggle("ce-beyond", z !== logit);
      };
      put(mainDot, likely.up(p));
      put(temptingDot, likely.up(sure));
      target.setAttribute("d", `M0 ${likely.up(label)}H${WIDTH}`);
      gap.setAttribute("d", `M${across(z)} ${likely.up(label)}V${likely.up(p)}`);
      cost.trace(mixture, (at) => binaryLoss(at, label));
      put(lossDot, cost.up(Math.min(loss, REACH)));
      const ends = [z - 1.5, z + 1.5].map((at) => `${across(at)} ${cost.up(loss + slope * (at - logit))}`);
      tangent.setAttribute("d", z === logit ? `M${ends.join("L")}` : "");
    };
  },

  summary({ label }, results, movement) {
    const [p, loss, slope] = ["probability", "loss", "gradient"].map((name) => /** @type {number} */ (results[name]));
    const soft = label > 0 && label < 1;
    const best = soft ? ` No logit gets below ${show(binaryLoss(Math.log(label / (1 - label)), label))}.` : "";
    // Beside a soft label the gradient is a difference, and has its rounding.
    const push = Math.abs(slope) <= (soft ? 1e-15 : 0) ? "and nothing pushes the logit" : `and the logit is pushed ${slope < 0 ? "up" : "down"} with a force of ${show(Math.abs(slope))}`;
    return `The probability of yes is ${chance(p, "more than")}: the loss is ${show(loss)} nats, ${push}.${best}${movement}`;
  },

  python: ({ logit, label }) => `import torch
import torch.nn.functional as F

z = torch.tensor(${python(logit)}, dtype=torch.float64, requires_grad=True)
y = torch.tensor(${python(label)}, dtype=torch.float64)
loss = F.binary_cross_entropy_with_logits(z, y)
(gradient,) = torch.autograd.grad(loss, z)
zero = torch.zeros_like(z)

print("probability", torch.sigmoid(z).item())
print("loss", loss.item())
print("gradient", gradient.item())
print("softmax-probability", torch.softmax(torch.stack([zero, z]), dim=0)[1].item())
print("tempting-probability", torch.softmax(torch.stack([-z, z]), dim=0)[1].item())
`,
};

export default frame(LAB);
