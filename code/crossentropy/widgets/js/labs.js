// @ts-check
/** Every lab and the quiz, by its topic. build.mjs makes one bundle for each, and static.js one for all. */
import binary from "./binary.js";
import gradient from "./gradient.js";
import information from "./information.js";
import interfaces from "./interfaces.js";
import likelihood from "./likelihood.js";
import lossCurve from "./loss-curve.js";
import ngram from "./ngram.js";
import quiz from "./quiz.js";
import softmax from "./softmax.js";
import stability from "./stability.js";

export const LABS = { binary, gradient, information, interfaces, likelihood, "loss-curve": lossCurve, ngram, quiz, softmax, stability };
