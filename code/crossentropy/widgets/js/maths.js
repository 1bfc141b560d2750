// @ts-check
/**
 * The maths of the labs: pure functions of numbers and arrays, no DOM. Each is checked against torch in
 * float64 (tests/test_widgets.py), and keeps the digits that its Python counterpart keeps.
 */

/**
 * The largest logit, and the sum of exp(z_j - largest) over all *other* classes: no 1 + tiny is ever formed.
 * @param {number[]} logits
 * @returns {[number, number]}
 */
function split(logits) {
  const top = Math.max(...logits);
  const index = logits.indexOf(top);
  // A row of -Infinity would shift by Infinity - Infinity.
  const shift = top === -Infinity ? 0 : top;
  let others = 0;
  logits.forEach((z, j) => {
    if (j !== index) others += Math.exp(z - shift);
  });
  return [top, others];
}

/**
 * log sum_k exp(z_k).
 * @param {number[]} logits
 * @returns {number}
 */
export function logsumexp(logits) {
  const [top, others] = split(logits);
  return top + Math.log1p(others);
}

/**
 * Probabilities proportional to exp(z_k / temperature).
 * @param {number[]} logits
 * @param {number} [temperature]
 * @returns {number[]}
 */
export function softmax(logits, temperature = 1) {
  const top = Math.max(...logits);
  const weights = logits.map((z) => Math.exp((z - top) / temperature));
  const total = weights.reduce((sum, w) => sum + w, 0);
  return weights.map((w) => w / total);
}

/**
 * log softmax_k, in nats, without forming the probabilities.
 * @param {number[]} logits
 * @param {number} [temperature]
 * @returns {number[]}
 */
export function logSoftmax(logits, temperature = 1) {
  const largest = Math.max(...logits);
  // Shifted before the division: z / T alone may overflow.
  const tempered = logits.map((z) => (z - largest) / temperature);
  const [top, others] = split(tempered);
  return tempered.map((z) => z - top - Math.log1p(others));
}

/**
 * Probability of class 1 at the log-odds z.
 * @param {number} z
 */
export function sigmoid(z) {
  const small = Math.exp(-Math.abs(z));
  return (z < 0 ? small : 1) / (1 + small);
}

/**
 * log(1 + exp(z)): the loss of "no", and of "yes" at -z.
 * @param {number} z
 */
export function softplus(z) {
  return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
}

/**
 * Binary cross-entropy of the log-odds z for a label from 0 to 1, in nats.
 * @param {number} z
 * @param {number} label
 */
export function binaryLoss(z, label) {
  return label * softplus(-z) + (1 - label) * softplus(z);
}

/**
 * Its derivative, sigmoid(z) - label, without the difference that would cancel.
 * @param {number} z
 * @param {number} label
 */
export function binaryGradient(z, label) {
  return (1 - label) * sigmoid(z) - label * sigmoid(-z);
}

/**
 * H(p, q) = -sum_k p_k log q_k, with 0 log 0 = 0; infinite where q_k = 0 < p_k.
 * @param {number[]} p
 * @param {number[]} q
 * @param {string} [unit] "nats" or "bits"
 */
export function crossEntropy(p, q, unit = "nats") {
  const log = unit === "bits" ? Math.log2 : Math.log;
  return Math.max(
    0,
    p.reduce((sum, pk, k) => (pk ? sum - pk * log(q[k]) : sum), 0),
  );
}

/**
 * KL(p ‖ q) = sum_k [p_k log(p_k / q_k) - p_k + q_k], a sum in which nothing cancels.
 * @param {number[]} p
 * @param {number[]} q
 * @param {string} [unit] "nats" or "bits"
 */
export function klDivergence(p, q, unit = "nats") {
  const nats = p.reduce((sum, pk, k) => {
    const gap = q[k] - pk;
    if (Math.abs(gap) < 0.25 * pk) return sum + pk * excess(gap / pk);
    return sum + (pk ? pk * (Math.log(pk) - Math.log(q[k])) : 0) + gap;
  }, 0);
  return unit === "bits" ? nats / Math.LN2 : nats;
}

/** r - log(1 + r) by the series of 2 artanh(r / (2 + r)). @param {number} r */
function excess(r) {
  const s = r / (2 + r);
  let series = 0;
  for (let n = 21; n > 1; n -= 2) series = series * s * s + 1 / n;
  return r * s - 2 * s ** 3 * series;
}

/**
 * The distribution p with p_index set to `value`; the others share the rest in their proportions, or evenly if all are 0.
 * @param {number[]} p
 * @param {number} index
 * @param {number} value from 0 to 1
 */
export function rescale(p, index, value) {
  const others = p.reduce((sum, pk, k) => (k === index ? sum : sum + pk), 0);
  return p.map((pk, k) => (k === index ? value : (1 - value) * (others ? pk / others : 1 / (p.length - 1))));
}

/**
 * How far one can go from p along a direction, whose entries sum to 0, before KL(p ‖ ·) passes `level` nats or the simplex ends.
 * @param {number[]} p
 * @param {number[]} direction
 * @param {number} level
 * @returns {[number, boolean]} the length, and whether it was the simplex that ended
 */
export function reach(p, direction, level) {
  const at = (/** @type {number} */ t) => p.map((pk, k) => Math.max(0, pk + t * direction[k]));
  let high = Math.min(...p.map((pk, k) => (direction[k] < 0 ? -pk / direction[k] : Infinity)));
  if (klDivergence(p, at(high)) <= level) return [high, true];
  let low = 0;
  for (let step = 0; step < 20; step++) {
    const middle = (low + high) / 2;
    if (klDivergence(p, at(middle)) <= level) low = middle;
    else high = middle;
  }
  return [low, false];
}

/** @typedef {"float16" | "bfloat16" | "float32" | "float64"} Dtype */

// Digits after the leading one, the smallest normal power of two, the largest number.
export const FORMATS = {
  float16: { digits: 10, lowest: -14, largest: 65504 },
  bfloat16: { digits: 7, lowest: -126, largest: 255 * 2 ** 120 },
  float32: { digits: 23, lowest: -126, largest: (2 - 2 ** -23) * 2 ** 127 },
  float64: { digits: 52, lowest: -1022, largest: Number.MAX_VALUE },
};
const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/**
 * The nearest number that the dtype holds, ties to the even one; half precision by way of float32, as in torch.
 * @param {number} x
 * @param {Dtype} dtype
 * @returns {number}
 */
export function roundTo(x, dtype) {
  if (dtype === "float64") return x;
  single[0] = x;
  const value = single[0];
  if (dtype === "float32" || !Number.isFinite(value)) return value;
  const { digits, lowest, largest } = FORMATS[dtype];
  const power = Math.max(((bits[0] >>> 23) & 255) - 127, lowest) - digits;
  // Next to 1.5 * 2^52 steps a double has no digit left below one step, and rounds the rest by itself.
  const anchor = 1.5 * 2 ** (52 + power);
  const rounded = value + anchor - anchor;
  if (Math.abs(rounded) > largest) return Math.sign(value) * Infinity;
  return rounded;
}

/** A sum as torch makes it: half precision is added up in float32 and rounded once. @param {number[]} terms @param {Dtype} dtype */
function sumIn(terms, dtype) {
  return roundTo(
    terms.reduce((sum, term) => (dtype === "float64" ? sum + term : Math.fround(sum + term)), 0),
    dtype,
  );
}

/**
 * -log softmax of the true class as written, each operation rounded to the dtype; the gradient as autograd goes back.
 * @param {number[]} score logits that the dtype holds
 * @param {number} target
 * @param {Dtype} dtype
 */
export function naiveRoute(score, target, dtype) {
  const r = (/** @type {number} */ x) => roundTo(x, dtype);
  const exponential = score.map((z) => r(Math.exp(z)));
  const total = sumIn(exponential, dtype);
  const probability = exponential.map((e) => r(e / total));
  const loss = -r(Math.log(probability[target]));
  const push = score.map((_, k) => (k === target ? r(-1 / probability[target]) : 0));
  const through = sumIn(
    exponential.map((e, k) => r(-push[k] * r(r(e / total) / total))),
    dtype,
  );
  const gradient = exponential.map((e, k) => r(r(r(push[k] / total) + through) * e));
  return { exponential, total, probability, loss, factor: push[target], gradient };
}

/**
 * The same loss shifted by the largest logit, in the same arithmetic; no 1 + tiny is formed on the way to the loss.
 * @param {number[]} score
 * @param {number} target
 * @param {Dtype} dtype
 */
export function shiftedRoute(score, target, dtype) {
  const r = (/** @type {number} */ x) => roundTo(x, dtype);
  const top = score.indexOf(Math.max(...score));
  const shifted = score.map((z) => r(z - score[top]));
  const exponential = shifted.map((z) => r(Math.exp(z)));
  const without = (/** @type {number} */ out) =>
    sumIn(
      exponential.map((e, k) => (k === out ? 0 : e)),
      dtype,
    );
  const others = without(top);
  const total = r(1 + others);
  const rest = r(without(target) / total);
  return {
    shifted,
    exponential,
    total,
    loss: r(r(score[top] - score[target]) + r(Math.log1p(others))),
    gradient: exponential.map((e, k) => (k === target ? -rest : r(e / total))),
  };
}

/**
 * What one call of PyTorch makes of these logits: the input that it is given, its loss for one sample, the gradient on
 * the logits, and the least and the greatest loss that it can ever return.
 * @param {number[]} logits
 * @param {number} target
 * @param {string} kind what is made of the logits first: "logits" (nothing), "probabilities" or "log-probabilities"
 * @param {boolean} fused whether the call takes a log-softmax itself, as `cross_entropy` does, or none, as `NLLLoss`
 */
export function interfaceLoss(logits, target, kind, fused) {
  const p = softmax(logits);
  const given = kind === "probabilities" ? p : kind === "logits" ? logits : logSoftmax(logits);
  const loss = fused ? -logSoftmax(given)[target] : -given[target];
  if (kind === "log-probabilities" || (kind === "logits" && fused)) {
    return { given, loss, gradient: excessOver(p, target), least: 0, greatest: Infinity };
  }
  if (kind === "logits") {
    return { given, loss, gradient: p.map((_, k) => (k === target ? -1 : 0)), least: -Infinity, greatest: Infinity };
  }
  const push = fused ? excessOver(softmax(p), target) : p.map((_, k) => (k === target ? -1 : 0));
  // Back through the softmax: p_k times what class k was pushed more than the average.
  const average = p.reduce((sum, pk, k) => sum + pk * push[k], 0);
  const least = fused ? Math.log1p((p.length - 1) / Math.E) : -1;
  return { given, loss, gradient: p.map((pk, k) => pk * (push[k] - average)), least, greatest: least + 1 };
}

/** p - y; the true class's entry as minus the sum of all others, which keeps its digits. @param {number[]} p @param {number} target */
function excessOver(p, target) {
  const rest = p.reduce((sum, pk, k) => (k === target ? sum : sum + pk), 0);
  return p.map((pk, k) => (k === target ? -rest : pk));
}
