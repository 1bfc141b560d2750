// @ts-check
/** InterfaceLab: nine ways to call PyTorch, and which of them lie. Chapter "interfaces". */
import { clamp, h, percent, python, show, tell } from "./dom.js";
import { frame } from "./frame.js";
import { cleanLogits, logit } from "./logits.js";
import { interfaceLoss } from "./maths.js";

const KINDS = ["logits", "probabilities", "log-probabilities"];
/** @type {Record<string, string>} */
const CALLS = { CrossEntropyLoss: "nn.CrossEntropyLoss()", cross_entropy: "F.cross_entropy", NLLLoss: "nn.NLLLoss()" };
/** @type {Record<string, string>} */
const MADE = { logits: "z", probabilities: "F.softmax(z, dim=-1)", "log-probabilities": "F.log_softmax(z, dim=-1)" };
// The line on which the loss stands; what lies beyond is pinned to its end.
const LINE = { min: -3, max: 6, ticks: [-2, -1, 0, 1, 2, 3, 4, 5] };

const fraction = (/** @type {number} */ x) => (clamp(x, LINE.min, LINE.max) - LINE.min) / (LINE.max - LINE.min);
const fused = (/** @type {import("./frame.js").State} */ state) => state.interface !== "NLLLoss";

/** @param {import("./frame.js").State} state */
function verdict(state) {
  const kind = state.input_kind;
  if (kind === "probabilities") return fused(state) ? "wrong: softmax twice" : "wrong: no logarithm";
  if (!fused(state) && kind === "logits") return "wrong: no softmax";
  return fused(state) && kind !== "logits" ? "right: the second log-softmax changes nothing" : "right";
}

/** The exact line. @param {import("./frame.js").State} state */
const line = (state) => `loss = ${CALLS[state.interface]}(${MADE[state.input_kind]}, target)`;

/** @type {import("./frame.js").Lab} */
const LAB = {
  topic: "interfaces",
  label: "Interface lab",
  hint: "One sample, nine calls. None of them raises; not all of them return the cross-entropy.",

  clean({ logits, target, input_kind, interface: call }, start) {
    const kept = cleanLogits(logits, start.logits);
    return {
      logits: kept,
      target: Number.isInteger(target) ? clamp(target, 0, kept.length - 1) : start.target,
      input_kind: KINDS.includes(input_kind) ? input_kind : start.input_kind,
      interface: Object.hasOwn(CALLS, call) ? call : start.interface,
    };
  },

  results(state) {
    const { logits, target, input_kind } = state;
    const { given, loss, gradient, least, greatest } = interfaceLoss(logits, target, input_kind, fused(state));
    const right = interfaceLoss(logits, target, "logits", true);
    return {
      input: given,
      loss,
      gradient,
      "right-loss": right.loss,
      "right-gradient": right.gradient,
      least,
      greatest,
      verdict: verdict(state),
    };
  },

  build(ui) {
    const call = h("code");
    const judgement = h("div", { class: "ce-facts" }, ui.output("verdict", "Verdict"));
    const choices = h("div", { class: "ce-buttons" });
    const rows = h("div", { class: "ce-rows" });
    const range = h("div", { class: "ce-band" });
    const dot = h("div", { class: "ce-dot" });
    const right = h("div", { class: "ce-dot ce-hollow" });

    const row = (/** @type {number} */ k) =>
      h(
        "div",
        { class: "ce-row ce-fed", role: "group", "aria-label": `class ${k}` },
        logit(ui, k, 10),
        ui.output("input", "input", k),
        ui.output("gradient", "gradient", k),
        ui.output("right-gradient", "p − y", k),
      );

    const resize = () => {
      const classes = ui.state().logits.map((/** @type {number} */ _, /** @type {number} */ k) => k);
      rows.replaceChildren(...classes.map(row));
      choices.replaceChildren(
        ui.choice({
          name: "interface",
          label: "Interface",
          options: Object.keys(CALLS).map((name) => [name, CALLS[name].replace("()", "")]),
          get: (state) => state.interface,
          set: (_, value) => ({ interface: value }),
        }),
        ui.choice({
          name: "input-kind",
          label: "is given",
          options: KINDS.map((kind) => [kind, kind]),
          get: (state) => state.input_kind,
          set: (_, value) => ({ input_kind: value }),
        }),
        ui.choice({
          name: "target",
          label: "True class",
          options: classes.map((/** @type {number} */ k) => [String(k), `class ${k}`]),
          get: (state) => String(state.target),
          set: (_, value) => ({ target: Number(value) }),
        }),
      );
    };

    ui.body.append(
      choices,
      h("p", { class: "ce-call" }, call),
      judgement,
      rows,
      h(
        "div",
        {},
        h("p", { class: "ce-hint" }, "Grey: where the loss of any sample can lie. The full dot is the loss, the hollow one the cross-entropy −log p."),
        h(
          "div",
          { "aria-hidden": "true" },
          h(
            "div",
            { class: "ce-line" },
            range,
            h("div", { class: "ce-lane" }, dot),
            h("div", { class: "ce-lane" }, right),
            h(
              "div",
              { class: "ce-axis" },
              ...LINE.ticks.map((t) => h("span", { style: `left:${percent(fraction(t))}` }, String(t).replace("-", "−"))),
            ),
          ),
        ),
        h(
          "div",
          { class: "ce-facts" },
          ui.output("loss", "loss"),
          ui.output("right-loss", "cross-entropy"),
          ui.output("least", "can be as low as"),
          ui.output("greatest", "and as high as"),
        ),
      ),
    );

    return (state, results) => {
      if (rows.children.length !== state.logits.length) resize();
      tell(call, line(state));
      judgement.classList.toggle("ce-lying", verdict(state).startsWith("wrong"));
      const [low, high, loss, honest] = ["least", "greatest", "loss", "right-loss"].map((name) => /** @type {number} */ (results[name]));
      range.style.left = percent(fraction(low));
      range.style.width = percent(fraction(high) - fraction(low));
      for (const [element, x] of /** @type {[HTMLElement, number][]} */ ([
        [dot, loss],
        [right, honest],
      ])) {
        element.style.left = percent(fraction(x));
        element.classList.toggle("ce-beyond", x < LINE.min || x > LINE.max);
      }
    };
  },

  summary({ target, ...state }, results) {
    const [loss, least, greatest] = ["loss", "least", "greatest"].map((name) => show(/** @type {number} */ (results[name])));
    const [push, right] = ["gradient", "right-gradient"].map((name) => show(/** @type {number[]} */ (results[name])[target]));
    const gradient = `The gradient of class ${target} is ${push}${push === right ? ", as it should be" : `; ${right} would be right`}.`;
    if (results.verdict === "right") return `Right: the loss is the cross-entropy, ${loss}, and the gradient is p − y.`;
    if (state.input_kind === "log-probabilities") return `Right all the same: log-softmax of a log-softmax changes nothing. The loss is ${loss}.`;
    if (state.input_kind === "logits") return `NLLLoss only picks an entry and changes its sign: ${loss}. It can fall for ever, and its gradient of ${push} for class ${target} never becomes smaller.`;
    if (!fused(state)) return `NLLLoss takes no logarithm: the loss is −p, ${loss}, and never above 0. ${gradient}`;
    return `Softmax twice: whatever the logits, the loss stays between ${least} and ${greatest}. ${gradient}`;
  },

  python(state) {
    const trapped = fused(state) && state.input_kind === "probabilities";
    const { least, greatest } = interfaceLoss(state.logits, state.target, state.input_kind, fused(state));
    return `import math

import torch
import torch.nn.functional as F
from torch import nn

z = torch.tensor(${python(state.logits)}, dtype=torch.float64, requires_grad=True)
target = torch.tensor(${state.target})
given = ${MADE[state.input_kind]}
${line({ ...state, input_kind: "logits" }).replace("(z,", "(given,")}
(gradient,) = torch.autograd.grad(loss, z, retain_graph=True)
right = F.cross_entropy(z, target)
(right_gradient,) = torch.autograd.grad(right, z)
least = ${trapped ? "math.log1p((len(z) - 1) / math.e)" : python(least)}
greatest = ${trapped ? "least + 1" : python(greatest)}

print("input", given.tolist())
print("loss", loss.item())
print("gradient", gradient.tolist())
print("right-loss", right.item())
print("right-gradient", right_gradient.tolist())
print("least", least)
print("greatest", greatest)
print("verdict", "'${verdict(state)}'")
`;
  },
};

export default frame(LAB);
