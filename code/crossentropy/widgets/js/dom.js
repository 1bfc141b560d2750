// @ts-check
/** Small tools for building a lab's page: elements, numbers in words, and waiting. No state, nothing of any topic. */

/**
 * An element with its attributes and children. An attribute that is false, null or undefined is left out.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * As `h`, for the inside of a drawing.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** @param {Element} element @param {Record<string, any>} attributes @param {(Node | string)[]} children */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * Put text into an element; what says the same already is not touched, and costs the browser nothing.
 * @param {Element} element
 * @param {string} text
 */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A number as the reader sees it: three decimals, or a power of ten where these would hide it.
 * @param {number} x
 * @param {number} [decimals]
 * @returns {string}
 */
export function show(x, decimals = 3) {
  if (Number.isNaN(x)) return "NaN";
  const size = Math.abs(x);
  const sign = x < 0 ? "−" : "";
  if (size === Infinity) return `${sign}∞`;
  if (size === 0) return "0";
  if (size >= 10 ** -decimals && size < 1e5) return sign + size.toFixed(decimals);
  const [digits, power] = size.toExponential(2).split("e");
  return `${sign}${digits} × 10${superscript(Number(power))}`;
}

/** A probability that is never 1, though its float may be. @param {number} p */
export function chance(p, over = ">") {
  return p >= 0.9995 ? `${over} 0.999` : show(p);
}

/** A round number, on an axis. @param {number} x */
export function round(x) {
  const [digits, power] = Math.abs(x).toExponential().split("e");
  const size = Math.abs(x) < 1e5 ? String(Math.abs(x)) : `${digits === "1" ? "" : `${digits} × `}10${superscript(Number(power))}`;
  return x < 0 ? `−${size}` : size;
}

/** Digits above the line, for powers of ten. @param {number} n */
export function superscript(n) {
  return String(n).replace(/[-0-9]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]));
}

/** Digits below the line, for z₀, z₁, ... @param {number} n */
export function subscript(n) {
  return String(n).replace(/\d/g, (c) => "₀₁₂₃₄₅₆₇₈₉"[Number(c)]);
}

/** @param {number} x @param {number} low @param {number} high */
export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

/** A number for a number field: in full, and never with an exponent, which a narrow field would hide. @param {number} x */
export function written(x) {
  return Math.abs(x) < 1e-6 && x !== 0 ? x.toFixed(25).replace(/0+$/, "").replace(/\.$/, "") : String(x);
}

/** Whole percent of a track, kept inside it. @param {number} fraction */
export function percent(fraction) {
  return `${(100 * clamp(fraction, 0, 1)).toFixed(3)}%`;
}

/** A number, or a list of numbers, as a Python literal of floats. @param {number | number[]} x @returns {string} */
export function python(x) {
  if (Array.isArray(x)) return `[${x.map(python).join(", ")}]`;
  if (!Number.isFinite(x)) return `float("${Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf"}")`;
  const text = String(x);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/**
 * A number as the browser reads it: a decimal comma becomes a point, a minus sign a hyphen, and marks between thousands go.
 * @param {string} text
 */
export function plainNumber(text) {
  const plain = text.replaceAll("−", "-").replace(/[\s_']/g, "");
  const [comma, point] = [plain.lastIndexOf(","), plain.lastIndexOf(".")];
  if (comma < 0) return plain;
  if (point > comma) return plain.replaceAll(",", "");
  return plain.replaceAll(".", "").replace(/,(?=.*,)/g, "").replace(",", ".");
}

/**
 * Have a number field take what readers of all countries write. By itself it drops a comma in silence, and 0,5 becomes 5.
 * @template {HTMLInputElement} T
 * @param {T} box
 * @returns {T}
 */
export function plainNumbers(box) {
  box.addEventListener("beforeinput", (event) => {
    const text = event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
    const plain = plainNumber(text);
    if (plain === text) return;
    event.preventDefault();
    // The one way to type into a number field at its caret, and to be undone.
    document.execCommand("insertText", false, plain);
  });
  return box;
}

/**
 * Run at most once in `wait` milliseconds, the first call at once; `flush` runs what is still waiting.
 * @param {() => void} run
 * @param {number} wait
 */
export function throttle(run, wait) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let due = false;
  const fire = () => {
    clearTimeout(timer);
    due = false;
    timer = setTimeout(() => {
      timer = undefined;
      if (due) fire();
    }, wait);
    run();
  };
  return {
    call() {
      due = true;
      if (timer === undefined) fire();
    },
    flush() {
      if (due) fire();
    },
  };
}

/**
 * Run once, `wait` milliseconds after the last call.
 * @param {() => void} run
 * @param {number} wait
 */
export function debounce(run, wait) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return {
    call() {
      clearTimeout(timer);
      timer = setTimeout(run, wait);
    },
    cancel() {
      clearTimeout(timer);
    },
  };
}

/**
 * Keep plain keys from what is around the element. A notebook takes them for commands: an arrow on a slider would leave
 * the cell, a letter on a button cut or insert one.
 * @param {HTMLElement} element
 */
export function keepKeys(element) {
  element.addEventListener("keydown", (event) => {
    const forNotebook = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
    if (!forNotebook) event.stopPropagation();
  });
}

/**
 * Put text on the clipboard; where the browser refuses, the old way through a selection.
 * @param {string} text
 * @returns {Promise<boolean>} whether it is there
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { readonly: true, "aria-hidden": "true", style: "position:fixed;opacity:0" });
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}
