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
