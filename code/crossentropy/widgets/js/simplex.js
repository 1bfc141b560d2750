// @ts-check
/** All distributions over three outcomes as a triangle: class 0 at the top, 1 at the left, 2 at the right. */
import { svg } from "./dom.js";

const WIDTH = 100;
const HEIGHT = 50 * Math.sqrt(3);
const MARGIN = 13;

/** Where p lies. @param {number[]} p @returns {[number, number]} */
export function place(p) {
  return [WIDTH * (p[0] / 2 + p[2]), HEIGHT * (1 - p[0])];
}

/** The distribution at a point; outside the triangle, one on its edge. @param {number} x @param {number} y @returns {number[]} */
export function locate(x, y) {
  const top = 1 - y / HEIGHT;
  const right = x / WIDTH - top / 2;
  const inside = [top, 1 - top - right, right].map((share) => Math.max(share, 0));
  const total = inside[0] + inside[1] + inside[2];
  return inside.map((share) => share / total);
}

/** The empty triangle with its corners named; what comes later is drawn over it. @returns {SVGSVGElement} */
export function triangle() {
  const corners = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(place); // prettier-ignore
  const names = corners.map(([x, y], k) => svg("text", { x: x + [0, -9, 9][k], y: y + [-7, 7, 7][k], "text-anchor": "middle" }, String(k)));
  return svg(
    "svg",
    { class: "ce-drawing", viewBox: `${-MARGIN} ${-MARGIN} ${WIDTH + 2 * MARGIN} ${HEIGHT + 2 * MARGIN}`, "aria-hidden": "true" },
    svg("path", { class: "ce-frame", d: `M${corners.join("L")}Z` }),
    ...names,
  );
}

/** Where in the triangle's units a pointer is. @param {SVGSVGElement} drawing @param {PointerEvent} event @returns {[number, number]} */
export function pointed(drawing, event) {
  const box = drawing.getBoundingClientRect();
  const scale = (WIDTH + 2 * MARGIN) / box.width;
  return [(event.clientX - box.left) * scale - MARGIN, (event.clientY - box.top) * scale - MARGIN];
}
