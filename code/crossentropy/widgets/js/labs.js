// @ts-check
/** Every lab, by its topic. build.mjs makes one bundle for each, and static.js one for all. */
import binary from "./binary.js";
import information from "./information.js";
import interfaces from "./interfaces.js";
import softmax from "./softmax.js";
import stability from "./stability.js";

export const LABS = { softmax, information, binary, interfaces, stability };
