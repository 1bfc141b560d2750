// @ts-check
/**
 * The host of the labs in the built page: no kernel, no request. Each `.ce-lab` element carries its state as JSON; here it
 * gets a model of anywidget's form, and the same `render` as in a notebook. What a notebook saves to Python is kept
 * here in the page's address: `#softmax.logits=2,0.5,0.1&softmax.shift=5`, only what differs from the start.
 */
import { debounce } from "./dom.js";
import { LABS } from "./labs.js";

// Browsers refuse a page that rewrites its address too often.
const ADDRESS_MILLISECONDS = 250;

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

/** The parts of the fragment that assign something. An ordinary anchor has none. */
function entries() {
  const parts = location.hash.slice(1).split("&");
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

/** @returns {string[]} the labs that the address speaks of */
function readAddress() {
  const named = [];
  const given = entries();
  for (const { key, model } of hosted) {
    const mine = given.filter(([name]) => name.startsWith(`${key}.`));
    if (!mine.length) continue;
    named.push(key);
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

const address = debounce(() => {
  const foreign = entries().filter(([name]) => !hosted.some(({ key }) => name.startsWith(`${key}.`)));
  const parts = foreign.map(([name, text]) => `${name}=${text}`);
  for (const { key, model } of hosted) {
    for (const [trait, first] of Object.entries(model.get("start"))) {
      const value = model.get(trait);
      if (JSON.stringify(value) === JSON.stringify(first)) continue;
      parts.push(`${key}.${trait}=${encodeURIComponent(String(value)).replaceAll("%2C", ",")}`);
    }
  }
  if (!parts.length && !entries().length) return;
  // An empty string would leave the old fragment in place.
  history.replaceState(history.state, "", parts.length ? `#${parts.join("&")}` : location.href.split("#")[0]);
}, ADDRESS_MILLISECONDS);

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
  const [first] = readAddress();
  for (const { key, model } of hosted) {
    LABS[/** @type {keyof typeof LABS} */ (places[key].dataset.widget)].render({ model, el: places[key] });
  }
  if (first) places[first].scrollIntoView();
  addEventListener("hashchange", readAddress);
}

// After Sphinx's search, which then empties every input that is named q.
if (document.readyState === "complete") start();
else addEventListener("DOMContentLoaded", start, { once: true });
