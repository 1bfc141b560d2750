// @ts-check
/**
 * The maths of the labs: pure functions of numbers and arrays, no DOM. Each is checked against torch in
 * float64 (tests/test_widgets.py), and keeps the digits that its Python counterpart keeps.
 */
import { loadWine } from "./wine.js";

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
  for (let step = 0; step < 16; step++) {
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

/**
 * The loss of one sample, -log p_target, in nats.
 * @param {number[]} logits
 * @param {number} target
 * @returns {number}
 */
export function loss(logits, target) {
  // From zero, for a certain label costs 0 and not -0.
  return 0 - logSoftmax(logits)[target];
}

/**
 * Its derivative in each logit, p - y.
 * @param {number[]} logits
 * @param {number} target
 * @returns {number[]}
 */
export function gradient(logits, target) {
  return excessOver(softmax(logits), target);
}

/**
 * The logits after 0, 1, ..., `steps` steps down the gradient.
 * @param {number[]} logits
 * @param {number} target
 * @param {number} rate
 * @param {number} steps
 * @returns {number[][]}
 */
export function descend(logits, target, rate, steps) {
  const path = [logits];
  for (let n = 0; n < steps; n++) {
    const push = gradient(path[n], target);
    path.push(path[n].map((z, k) => z - rate * push[k]));
  }
  return path;
}

/**
 * The scores x W + b of one sample, W row by row.
 * @param {number[]} x
 * @param {number[]} weight
 * @param {number[]} bias
 * @returns {number[]}
 */
export function affine(x, weight, bias) {
  return bias.map((b, k) => x.reduce((sum, xf, f) => sum + xf * weight[f * bias.length + k], 0) + b);
}

/**
 * The product of `count` factors, one after another, the list begun again where it ends. With `single` each factor and
 * each product is rounded to float32.
 * @param {number[]} factors
 * @param {number} count
 * @param {boolean} [single]
 * @returns {number}
 */
export function product(factors, count, single = false) {
  const rounded = single ? factors.map(Math.fround) : factors;
  let value = 1;
  for (let i = 0; i < count; i++) {
    value *= rounded[i % rounded.length];
    if (single) value = Math.fround(value);
  }
  return value;
}

// Far below any curvature that matters, far above its rounding.
const RIDGE = 1e-10;

/**
 * Newton's method for the weights of least cost, from zero: W row by row and then b, after each step. It stops where the
 * gradient vanishes, and before any number passes `largest`: on separable data they would grow for ever.
 * @param {number[][]} x
 * @param {number[]} y classes
 * @param {number[]} counts how often each sample occurs
 * @param {number} classes
 * @param {number} largest
 * @returns {number[][]}
 */
export function newtonPath(x, y, counts, classes, largest) {
  const design = x.map((row) => [...row, 1]);
  const none = Array(classes).fill(0);
  const size = design[0].length * classes;
  const total = counts.reduce((sum, c) => sum + c, 0);
  const cost = (/** @type {number[]} */ theta) => design.reduce((sum, row, i) => sum + (counts[i] / total) * loss(affine(row, theta, none), y[i]), 0);

  /** @type {number[][]} */
  const path = [Array(size).fill(0)];
  for (let n = 0; n < 100; n++) {
    const theta = path[n];
    const slope = Array(size).fill(0);
    // A shift of all classes changes nothing, and few samples leave more undecided: held near zero, they do not spoil the matrix.
    const curvature = slope.map((_, a) => slope.map((_, b) => (Math.floor(a / classes) === Math.floor(b / classes) ? 1 : 0) + (a === b ? RIDGE : 0)));
    design.forEach((row, i) => {
      const z = affine(row, theta, none);
      const p = softmax(z);
      const push = gradient(z, y[i]);
      for (let a = 0; a < size; a++) {
        const k = a % classes;
        const share = (counts[i] / total) * row[Math.floor(a / classes)];
        slope[a] += share * push[k];
        for (let b = 0; b < size; b++) {
          curvature[a][b] += share * row[Math.floor(b / classes)] * p[k] * ((k === b % classes ? 1 : 0) - p[b % classes]);
        }
      }
    });
    if (Math.max(...slope.map(Math.abs)) < 1e-12) break;
    const step = solve(curvature, slope);
    const fall = step.reduce((sum, s, a) => sum + s * slope[a], 0);
    const at = (/** @type {number} */ length) => theta.map((t, a) => t - length * step[a]);
    let length = 1;
    while (cost(at(length)) > cost(theta) - 1e-4 * length * fall && length > 1e-6) length /= 2;
    const next = at(length);
    if (length <= 1e-6 || next.some((t) => !(Math.abs(t) <= largest))) break;
    path.push(next);
  }
  return path;
}

/** The solution of a regular system, by elimination with pivots. @param {number[][]} matrix @param {number[]} right */
function solve(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  const size = rows.length;
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let i = k + 1; i < size; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[pivot][k])) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const factor = rows[i][k] / rows[k][k];
      for (let j = k; j <= size; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  return rows.map((row, k) => row[size] / row[k]);
}

/**
 * Where class k has the largest score: what is left of a convex shape after each other class has cut off its part.
 * @param {number[]} weight
 * @param {number[]} bias
 * @param {number} k
 * @param {number[][]} shape its corners, in order
 * @returns {number[][]}
 */
export function region(weight, bias, k, shape) {
  return bias.reduce((corners, _, j) => {
    const lead = (/** @type {number[]} */ x) => {
      const z = affine(x, weight, bias);
      return z[k] - z[j];
    };
    // Of two classes that tie everywhere the first has it all.
    if (j >= k || !corners.every((corner) => lead(corner) === 0)) {
      return corners.flatMap((to, i) => {
        const from = corners[(i || corners.length) - 1];
        const [a, b] = [lead(from), lead(to)];
        const cut = a * b < 0 ? [from.map((u, f) => u + (a / (a - b)) * (to[f] - u))] : [];
        return b >= 0 ? [...cut, to] : cut;
      });
    }
    return [];
  }, shape);
}

// The runs of the loss-curve lab: what the call makes of one row, and what else is wrong with the run.
/** @type {Record<string, { loss: (z: number[], c: number) => { loss: number, gradient: number[] }, outputs?: number, rate?: number, scale?: number, batch?: number, worst?: boolean, summed?: boolean }>} */
const RUNS = {
  none: { loss: honest },
  "one-column": { loss: () => ({ loss: 0, gradient: [0] }), outputs: 1 },
  "softmax-twice": { loss: (z, c) => interfaceLoss(z, c, "probabilities", true) },
  epsilon: { loss: capped, scale: 1000, worst: true },
  "probabilities-to-nll": { loss: (z, c) => interfaceLoss(z, c, "probabilities", false) },
  "zero-times-log-zero": { loss: byHand, rate: 3000 },
  sum: { loss: honest, rate: 0.5 / 178, summed: true },
  "clamped-sigmoid": { loss: clampedBinary, outputs: 1, scale: 1000, worst: true },
  "logits-to-nll": { loss: (z, c) => interfaceLoss(z, c, "logits", false) },
  "ignored-batches": { loss: honest, batch: 4 },
};
export const BUGS = Object.keys(RUNS);
export const STEPS = 300;

/** @param {number[]} z @param {number} c */
function honest(z, c) {
  return { loss: logsumexp(z) - z[c], gradient: excessOver(softmax(z), c) };
}

/** An epsilon of 1e-8 in the logarithm. @param {number[]} z @param {number} c */
function capped(z, c) {
  const p = softmax(z);
  const guarded = p[c] + 1e-8;
  return { loss: -Math.log(guarded), gradient: excessOver(p, c).map((g) => (p[c] / guarded) * g) };
}

/** The sum of -y log p over all classes, in which 0 log 0 is NaN. @param {number[]} z @param {number} c */
function byHand(z, c) {
  return softmax(z).includes(0) ? { loss: NaN, gradient: z.map(() => NaN) } : honest(z, c);
}

/** PyTorch's BCELoss after a sigmoid, for "is it class 1?": the logarithm clamped at -100, the derivative at 1e12. @param {number[]} z @param {number} c */
function clampedBinary([z], c) {
  const p = sigmoid(z);
  const label = c === 1 ? 1 : 0;
  const slope = p * (1 - p);
  return { loss: Math.min(-Math.log(label ? p : 1 - p), 100), gradient: [((p - label) / Math.max(slope, 1e-12)) * slope] };
}

/** Numbers in [0, 1) that Python draws as well: Knuth's linear congruential generator modulo 2^32. @param {number} seed */
function random(seed) {
  let state = Math.imul(seed, 2654435761) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The bug of a round of the game: every ten rounds each of the ten once, in another order. @param {number} number */
export function suspect(number) {
  const draw = random(Math.floor((number - 1) / BUGS.length) + 1);
  const order = BUGS.map((bug) => ({ bug, at: draw() })).sort((a, b) => a.at - b.at);
  return order[(number - 1) % BUGS.length].bug;
}

/**
 * The largest loss that the call returns, at each step of a linear model's training on the wine with this bug in it.
 * @param {string} bug
 * @param {number} seed of the first weights, and of the batches where there are any
 * @returns {number[]}
 */
export function train(bug, seed) {
  const { loss, outputs = 3, rate = 0.5, scale = 1, batch = 0, worst = false, summed = false } = RUNS[bug];
  const draw = random(seed);
  const { x, y } = loadWine();
  const features = x.map(([a, f]) => [scale * a, scale * f, 1]);
  const weights = [0, 1].map(() => Array.from({ length: outputs }, () => 0.035 * (draw() - 0.5)));
  weights.push(Array(outputs).fill(0));
  const labels = batch ? y.map((c) => (draw() < 0.75 ? -1 : c)) : y;
  const all = y.map((_, i) => i);
  return Array.from({ length: STEPS }, () => {
    const rows = (batch ? Array.from({ length: batch }, () => Math.floor(draw() * y.length)) : all).filter((i) => labels[i] >= 0);
    const slopes = weights.map((row) => row.map(() => 0));
    // Plain loops: a run visits 53,400 rows.
    let total = 0;
    let largest = -Infinity;
    for (const i of rows) {
      const [a, f] = features[i];
      const made = loss(
        weights[2].map((b, k) => a * weights[0][k] + f * weights[1][k] + b),
        labels[i],
      );
      total += made.loss;
      largest = Math.max(largest, made.loss);
      for (let k = 0; k < outputs; k++) {
        for (let j = 0; j < 3; j++) slopes[j][k] += made.gradient[k] * features[i][j];
      }
    }
    const step = summed ? rate : rate / (rows.length || 1);
    for (const [j, row] of slopes.entries()) row.forEach((g, k) => (weights[j][k] -= step * g));
    return worst ? largest : summed ? total : total / rows.length;
  });
}

/**
 * Numbers between 0 and 1 from the generator x ← 48271 x mod 2³¹ − 1 (Park, Miller & Stockmeyer, 1993). Every product
 * is exact in a double, so that Python gets the same numbers.
 * @param {number} seed from 1 to 2³¹ − 2
 * @returns {() => number}
 */
export function uniforms(seed) {
  let x = seed;
  return () => {
    x = (48271 * x) % 2147483647;
    return x / 2147483647;
  };
}

/**
 * @typedef {object} Weights The parameters of the n-gram model, each as torch lays it out, row after row.
 * @property {number[]} embeddings words × size of a word's vector
 * @property {number[]} hidden units × inputs
 * @property {number[]} hiddenBias
 * @property {number[]} output words × units
 * @property {number[]} outputBias
 */

/**
 * Weights drawn from torch's initial distributions: embeddings normal, each layer uniform within 1/√inputs.
 * @param {number} words
 * @param {number} size of a word's vector
 * @param {number} inputs
 * @param {number} units
 * @param {number} seed
 * @returns {Weights}
 */
export function initialWeights(words, size, inputs, units, seed) {
  const next = uniforms(seed);
  const draw = (/** @type {number} */ count, /** @type {() => number} */ from) => Array.from({ length: count }, from);
  const within = (/** @type {number} */ fan) => () => (2 * next() - 1) / Math.sqrt(fan);
  return {
    embeddings: draw(words * size, () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next())),
    hidden: draw(units * inputs, within(inputs)),
    hiddenBias: draw(units, within(inputs)),
    output: draw(words * units, within(units)),
    outputBias: draw(words, within(units)),
  };
}

/**
 * The n-gram model, and its training as torch does it, in float64. "per-sample" takes a plain gradient step after each
 * sample, "batched" one AdamW step an epoch on the mean loss, with torch's defaults.
 * @param {Weights} weights left as they are
 * @param {number[][]} contexts
 * @param {number[]} targets
 * @param {string} method
 * @param {number} rate
 */
export function network(weights, contexts, targets, method, rate) {
  const [words, units] = [weights.outputBias.length, weights.hiddenBias.length];
  const size = weights.embeddings.length / words;
  const inputs = weights.hidden.length / units;
  // All parameters in one array; the last layer transposed, so that a unit that is off is skipped with its whole row.
  const transposed = Array.from({ length: units * words }, (_, i) => weights.output[(i % words) * units + Math.floor(i / words)]);
  const theta = Float64Array.from([weights.embeddings, weights.hidden, weights.hiddenBias, transposed, weights.outputBias].flat());
  const hidden = words * size;
  const hiddenBias = hidden + units * inputs;
  const output = hiddenBias + units;
  const outputBias = output + units * words;

  const x = new Float64Array(inputs);
  const active = new Float64Array(units);
  const z = new Float64Array(words);
  const dx = new Float64Array(inputs);

  /** @param {number[]} context */
  function forward(context) {
    for (let i = 0; i < inputs; i++) x[i] = theta[context[Math.floor(i / size)] * size + (i % size)];
    for (let k = 0; k < words; k++) z[k] = theta[outputBias + k];
    for (let h = 0; h < units; h++) {
      let sum = theta[hiddenBias + h];
      for (let i = 0; i < inputs; i++) sum += x[i] * theta[hidden + h * inputs + i];
      active[h] = Math.max(sum, 0);
      if (sum > 0) for (let k = 0, row = output + h * words; k < words; k++) z[k] += sum * theta[row + k];
    }
  }

  /** The loss in nats; leaves p in the place of the logits. @param {number} target */
  function surprise(target) {
    let top = -Infinity;
    for (const score of z) top = Math.max(top, score);
    const own = z[target] - top;
    let total = 0;
    for (let k = 0; k < words; k++) total += z[k] = Math.exp(z[k] - top);
    for (let k = 0; k < words; k++) z[k] /= total;
    return Math.log(total) - own;
  }

  /**
   * The loss of one sample; `scale` times its gradient is added to `sink`, which may be the parameters themselves.
   * @param {number} sample
   * @param {Float64Array} sink
   * @param {number} scale
   */
  function backward(sample, sink, scale) {
    const context = contexts[sample];
    forward(context);
    const loss = surprise(targets[sample]);
    // p − y, and from there the chain rule backwards; each parameter is read before it is written.
    z[targets[sample]] -= 1;
    dx.fill(0);
    for (let h = 0; h < units; h++) {
      const a = active[h];
      if (a === 0) continue;
      let push = 0;
      for (let k = 0, row = output + h * words; k < words; k++) {
        push += theta[row + k] * z[k];
        sink[row + k] += scale * a * z[k];
      }
      for (let i = 0, row = hidden + h * inputs; i < inputs; i++) {
        dx[i] += theta[row + i] * push;
        sink[row + i] += scale * push * x[i];
      }
      sink[hiddenBias + h] += scale * push;
    }
    for (let k = 0; k < words; k++) sink[outputBias + k] += scale * z[k];
    for (let i = 0; i < inputs; i++) sink[context[Math.floor(i / size)] * size + (i % size)] += scale * dx[i];
    return loss;
  }

  const [gradient, mean, square] = [0, 1, 2].map(() => new Float64Array(method === "batched" ? theta.length : 0));
  let steps = 0;

  function adamw() {
    steps += 1;
    const [warm, warmSquare] = [1 - 0.9 ** steps, 1 - 0.999 ** steps];
    for (let i = 0; i < theta.length; i++) {
      mean[i] += 0.1 * (gradient[i] - mean[i]);
      square[i] = 0.999 * square[i] + 0.001 * gradient[i] ** 2;
      theta[i] = theta[i] * (1 - 0.01 * rate) - ((rate / warm) * mean[i]) / (Math.sqrt(square[i] / warmSquare) + 1e-8);
    }
    gradient.fill(0);
  }

  return {
    /** Scores of the next word. @param {number[]} context @returns {number[]} */
    logits(context) {
      forward(context);
      return [...z];
    },
    /** The mean loss on all samples as the model stands. */
    loss: () =>
      targets.reduce((sum, target, i) => {
        forward(contexts[i]);
        return sum + surprise(target);
      }, 0) / targets.length,
    /** Trains for one epoch; the mean of the losses met on the way, each before the step that it leads to. */
    epoch() {
      const [sink, scale] = method === "batched" ? [gradient, 1 / targets.length] : [theta, -rate];
      const total = targets.reduce((sum, _, i) => sum + backward(i, sink, scale), 0);
      if (method === "batched") adamw();
      return total / targets.length;
    },
  };
}

/**
 * The probabilities of the next word: only the `topK` likeliest keep one.
 * @param {number[]} logits
 * @param {number} temperature
 * @param {number} topK
 * @returns {number[]}
 */
export function nextWord(logits, temperature, topK) {
  const ranked = logits.map((_, k) => k).sort((a, b) => logits[b] - logits[a]);
  const kept = new Set(ranked.slice(0, topK));
  return softmax(
    logits.map((z, k) => (kept.has(k) ? z : -Infinity)),
    temperature,
  );
}

/**
 * The entry in which `u` falls when the probabilities are laid end to end from 0 to 1.
 * @param {number[]} p
 * @param {number} u
 * @returns {number}
 */
export function pick(p, u) {
  let sum = 0;
  const index = p.findIndex((pk) => (sum += pk) > u);
  // Rounding may leave a gap before 1: it belongs to the last entry that is possible.
  return index >= 0 ? index : p.reduce((last, pk, k) => (pk > 0 ? k : last), 0);
}
