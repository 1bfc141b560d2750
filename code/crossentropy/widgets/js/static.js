// @ts-check
/**
 * The host of the labs in the built page: no kernel, no request. Each `.ce-lab` element carries its state as JSON; here it
 * gets a model of anywidget's form, and the same `render` as in a notebook. What a notebook saves to Python is kept
 * here in the page's address: `#softmax.logits=2,0.5,0.1&softmax.shift=5`, only what differs from the start. An anchor
 * takes the state's place in the address; the visit's entry in the history keeps it, for a reload and for "Back".
 */
import { throttle } from "./dom.js";
import { LABS } from "./labs.js";

// Browsers refuse a page that rewrites its address too often: Safari allows a hundred times in half a minute.
const ADDRESS_MILLISECONDS = 400;

/** @type {{ key: string, model: ReturnType<typeof createModel> }[]} */
const hosted = [];

/** @param {Record<string, any>} start */
function createModel(start) {
  // A quiz brings a start of its own, an empty one: the reader's answers stay out of the address.
  const state = /** @type {Record<string, any>} */ ({ start, ...start });
  /** @type {Record<string, Set<() => void>>} */
  const listeners = {};
  return {
    get: (/** @type {string} */ key) => state[key],
    set(/** @type {string} */ key, /** @type {any} */ value) {
      if (JSON.stringify(state[key]) === JSON.stringify(value)) return;
      state[key] = value;
      for (const listener of [...(listeners[`change:${key}`] ?? [])]) listener();
    },
    on(/** @type {string} */ event, /** @type {() => void} */ listener) {
      (listeners[event] ??= new Set()).add(listener);
    },
    off(/** @type {string} */ event, /** @type {() => void} */ listener) {
      listeners[event]?.delete(listener);
    },
    save_changes: () => address.call(),
  };
}

/** The parts that assign something. An ordinary anchor has none. @param {string} [text] */
function entries(text = location.hash.slice(1)) {
  const parts = text.split("&");
  return parts.filter((part) => part.includes("=")).map((part) => /** @type {[string, string]} */ (part.split(/=(.*)/s)));
}

/** A value of the same type as `like`, or undefined. @param {string} text @param {any} like @returns {any} */
function parse(text, like) {
  if (Array.isArray(like)) {
    const items = text.split(",").map((item) => parse(item, like[0] ?? 0));
    return items.includes(undefined) ? undefined : items;
  }
  if (typeof like === "number") return text.trim() === "" || Number.isNaN(Number(text)) ? undefined : Number(text);
  if (typeof like === "boolean") return text === "true";
  return text;
}

/**
 * @param {[string, string][]} given
 * @param {boolean} all Whether labs that are not spoken of go back to their start.
 * @returns {string[]} the labs that are spoken of
 */
function apply(given, all) {
  const named = [];
  for (const { key, model } of hosted) {
    const mine = given.filter(([name]) => name.startsWith(`${key}.`));
    if (!mine.length && !all) continue;
    if (mine.length) named.push(key);
    const start = model.get("start");
    const patch = { ...start };
    for (const [name, text] of mine) {
      const trait = name.slice(key.length + 1);
      let value;
      try {
        value = Object.hasOwn(start, trait) ? parse(decodeURIComponent(text), start[trait]) : undefined;
      } catch {
        // A broken escape: as if it were not there.
      }
      if (value !== undefined) patch[trait] = value;
    }
    for (const [trait, value] of Object.entries(patch)) model.set(trait, value);
  }
  return named;
}

/** What differs from the start, as in an address. */
function written() {
  const parts = [];
  for (const { key, model } of hosted) {
    for (const [trait, first] of Object.entries(model.get("start"))) {
      const value = model.get(trait);
      if (JSON.stringify(value) === JSON.stringify(first)) continue;
      parts.push(`${key}.${trait}=${encodeURIComponent(String(value)).replaceAll("%2C", ",")}`);
    }
  }
  return parts;
}

/** @param {string} [url] */
const keep = (url) => history.replaceState({ ...history.state, labs: written().join("&") }, "", url);

const address = throttle(() => {
  const foreign = entries().filter(([name]) => !hosted.some(({ key }) => name.startsWith(`${key}.`)));
  const parts = [...foreign.map(([name, text]) => `${name}=${text}`), ...written()];
  if (!parts.length && !entries().length) return keep();
  // An empty string would leave the old fragment in place.
  keep(parts.length ? `#${parts.join("&")}` : location.href.split("#")[0]);
}, ADDRESS_MILLISECONDS);

/** The reader has come to another address of this page. @returns {string | undefined} the first lab that it names */
function arrive() {
  const given = entries();
  const visited = history.state?.labs;
  let first;
  if (given.length) [first] = apply(given, false);
  // "Back" leads to where the reader was, not to the lab.
  if (typeof visited === "string") first = undefined;
  if (!given.length && typeof visited === "string") apply(entries(visited), true);
  keep();
  return first;
}

function start() {
  /** @type {Record<string, number>} */
  const count = {};
  /** @type {Record<string, HTMLElement>} */
  const places = {};
  for (const el of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".ce-lab[data-widget]"))) {
    const topic = el.dataset.widget ?? "";
    const json = el.querySelector('script[type="application/json"]')?.textContent;
    if (!Object.hasOwn(LABS, topic) || !json) continue;
    count[topic] = (count[topic] ?? 0) + 1;
    const key = count[topic] > 1 ? `${topic}-${count[topic]}` : topic;
    hosted.push({ key, model: createModel(JSON.parse(json)) });
    places[key] = el;
  }
  const first = arrive();
  for (const { key, model } of hosted) {
    LABS[/** @type {keyof typeof LABS} */ (places[key].dataset.widget)].render({ model, el: places[key] });
  }
  const show = (/** @type {string | undefined} */ key) => key && places[key].scrollIntoView();
  show(first);
  addEventListener("hashchange", () => show(arrive()));
  addEventListener("pagehide", address.flush);
}

// After Sphinx's search, which then empties every input that is named q.
if (document.readyState === "complete") start();
else addEventListener("DOMContentLoaded", start, { once: true });
