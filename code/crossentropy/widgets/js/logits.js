// @ts-check
/** What the labs that hold logits share: their bounds, and a logit's number and slider. */
import { clamp, subscript } from "./dom.js";

export const FEWEST = 2;
export const MOST = 10;
export const BOUND = 1000;

/** The logits within their bounds; for a wrong count of them, those of the start. @param {number[]} logits @param {number[]} start */
export function cleanLogits(logits, start) {
  const good = logits.length >= FEWEST && logits.length <= MOST;
  return (good ? logits : start).map((z) => clamp(z, -BOUND, BOUND));
}

/**
 * Logit k, where the state holds logits: its slider goes from -reach to reach.
 * @param {import("./frame.js").Ui} ui
 * @param {number} k
 * @param {number} reach
 * @param {Partial<import("./frame.js").NumberOptions>} [other] What is read or set otherwise.
 */
export function logit(ui, k, reach, other) {
  return ui.number({
    name: "logit",
    index: k,
    label: `z${subscript(k)}`,
    min: -BOUND,
    max: BOUND,
    slider: { min: -reach, max: reach, step: 0.1 },
    get: (state) => state.logits[k],
    set: (state, value) => ({ logits: state.logits.map((/** @type {number} */ z, /** @type {number} */ j) => (j === k ? value : z)) }),
    ...other,
  });
}
