// @ts-check
/** NGramLab: train a language model of one sonnet in the page, ask it for the next word, let it write. Chapter "ngram". */
import { chance, clamp, h, percent, python, show, svg, tell } from "./dom.js";
import { frame } from "./frame.js";
import { initialWeights, network, nextWord, pick, uniforms } from "./maths.js";
import { SONNET } from "./sonnet.js";

/** @typedef {import("./frame.js").State} State */

const WORDS = SONNET.trim().split(/\s+/);
const VOCABULARY = [...new Set(WORDS)].sort();
const IDS = WORDS.map((word) => VOCABULARY.indexOf(word));
const CONTEXTS = IDS.slice(2).map((_, i) => IDS.slice(i, i + 2));
const TARGETS = IDS.slice(2);
const SIZE = 10;
const UNITS = 128;
const WEIGHTS_SEED = 1609;
const LINES_SEED = 1616;
const COUNT = (VOCABULARY.length * (SIZE + UNITS + 1) + UNITS * (2 * SIZE + 1)).toLocaleString("en");

const METHODS = { "per-sample": "one step a word (SGD)", batched: "one step an epoch (AdamW)" };
const USUAL_RATE = /** @type {Record<string, number>} */ ({ "per-sample": 0.001, batched: 0.02 });
const RATE = { low: 0.0001, high: 0.1 };
const TEMPERATURE = { low: 0.01, high: 100 };
const MOST_EPOCHS = 1000;
const MOST_DRAWS = 999;
const LINE_WORDS = 8;
const SHOWN_WORDS = 8;

// A jump of a few epochs is made at once; a longer one in slices, each far below a frame.
const JUMP_MILLISECONDS = 20;
const SLICE_MILLISECONDS = 8;
const PAINT_MILLISECONDS = 125;
const STILL_MILLISECONDS = 1000;

const CHART = { width: 300, height: 190, top: 6, bottom: 0.02, epochs: [20, 50, 100, 200, 500, MOST_EPOCHS] };
const up = (/** @type {number} */ nats) => (CHART.height * Math.log(CHART.top / Math.min(nats, CHART.top))) / Math.log(CHART.top / CHART.bottom);

const quoted = (/** @type {string} */ words) => `“${words}”`;

/** What the sonnet has after two words, each time that they stand there. @param {number[]} context */
const followers = (context) => TARGETS.filter((_, i) => CONTEXTS[i].every((word, j) => word === context[j]));
const UNIFORM = Math.log(VOCABULARY.length);
const FLOOR = CONTEXTS.reduce((sum, context, i) => {
  const after = followers(context);
  return sum + Math.log(after.length / after.filter((word) => word === TARGETS[i]).length);
}, 0) / TARGETS.length; // prettier-ignore

/** A word of the sonnet without what a reader may leave out. @param {string} word */
const bare = (word) => word.toLowerCase().replace(/[^a-z]/g, "");

/** The two words that are meant, as the sonnet has them, or null. @param {string} text @returns {string | null} */
function readContext(text) {
  const typed = text.trim().split(/\s+/);
  const meant = typed.map((word) => (VOCABULARY.includes(word) ? [word] : VOCABULARY.filter((known) => bare(word) && bare(known) === bare(word))));
  if (meant.length !== 2) return null;
  const pairs = meant[0].flatMap((first) => meant[1].map((second) => `${first} ${second}`));
  // Of words that differ in case alone, those that stand together.
  return pairs.find((pair) => CONTEXTS.some((known) => pair === known.map((word) => VOCABULARY[word]).join(" "))) ?? pairs[0] ?? null;
}

/** @param {string} context */
const indices = (context) => context.split(" ").map((word) => VOCABULARY.indexOf(word));

/** One training from the same first weights, and how far it has come. @param {string} method @param {number} rate */
function createRun(method, rate) {
  const start = initialWeights(VOCABULARY.length, SIZE, 2 * SIZE, UNITS, WEIGHTS_SEED);
  const model = network(start, CONTEXTS, TARGETS, method, rate);
  const losses = [model.loss()];
  return {
    method,
    rate,
    losses,
    logits: model.logits,
    epoch: () => losses.length - 1,
    /** Trains on, for about so long and at least one epoch. @param {number} goal @param {number} milliseconds */
    reach(goal, milliseconds) {
      const end = performance.now() + milliseconds;
      while (losses.length - 1 < goal) {
        model.epoch();
        losses.push(model.loss());
        if (performance.now() >= end) return;
      }
    },
  };
}

/** @param {ReturnType<typeof createRun>} run @param {State} state @returns {string} */
function sampleLine(run, { context, temperature, top_k, draw }) {
  const next = uniforms(LINES_SEED);
  // Each line has numbers of its own out of one sequence.
  for (let skipped = 0; skipped < LINE_WORDS * (draw - 1); skipped++) next();
  let last = indices(context);
  const line = [];
  while (line.length < LINE_WORDS) {
    const word = pick(nextWord(run.logits(last), temperature, top_k), next());
    line.push(VOCABULARY[word]);
    last = [last[1], word];
  }
  return line.join(" ");
}

/** @returns {import("./frame.js").Lab} */
function createLab() {
  let run = createRun("per-sample", USUAL_RATE["per-sample"]);
  /** @type {typeof run | undefined} */
  let former;
  // While training: where to, and what it last said in the state. Anything else there comes from outside, and ends it.
  /** @type {number | undefined} */
  let goal;
  let said = 0;

  /** Brings the run to where the state wants it, or as far as a moment's time allows. @param {State} state */
  function follow({ method, learning_rate, epochs }) {
    const other = method !== run.method || learning_rate !== run.rate;
    if (other || (goal !== undefined && epochs !== said)) goal = undefined;
    if (other && run.epoch() > 0) former = run;
    if (other || (goal === undefined && epochs < run.epoch())) run = createRun(method, learning_rate);
    if (goal === undefined) run.reach(epochs, JUMP_MILLISECONDS);
  }

  return {
    topic: "ngram",
    label: "N-gram lab",
    hint: `A network of ${COUNT} numbers reads two words of the sonnet and bets on the next. Train it here.`,

    clean(state, start) {
      return {
        context: readContext(state.context) ?? start.context,
        temperature: clamp(state.temperature, TEMPERATURE.low, TEMPERATURE.high),
        top_k: clamp(Math.round(state.top_k), 1, VOCABULARY.length),
        method: Object.hasOwn(METHODS, state.method) ? state.method : start.method,
        learning_rate: clamp(state.learning_rate, RATE.low, RATE.high),
        epochs: clamp(Math.round(state.epochs), 0, MOST_EPOCHS),
        draw: clamp(Math.round(state.draw), 1, MOST_DRAWS),
      };
    },

    results(state) {
      follow(state);
      const loss = run.losses[run.epoch()];
      return {
        "next-word-probability": nextWord(run.logits(indices(state.context)), state.temperature, state.top_k),
        epoch: run.epoch(),
        loss,
        perplexity: Math.exp(loss),
        floor: FLOOR,
        draw: state.draw,
        line: sampleLine(run, state),
      };
    },

    format: (quantity, value) => (quantity === "epoch" || quantity === "draw" ? String(value) : quantity === "next-word-probability" && value < 1 ? chance(value) : show(value, quantity === "floor" || quantity === "loss" ? 4 : 3)),

    build(ui) {
      const context = h("input", { type: "text", name: "context", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
      const reason = h("small", { class: "ce-reason" }, "two words of the sonnet");
      const accept = () => {
        context.removeAttribute("aria-invalid");
        reason.remove();
      };
      context.addEventListener("input", () => {
        const words = readContext(context.value);
        if (words) accept();
        else context.setAttribute("aria-invalid", "true");
        if (words) ui.set({ context: words }, "context");
      });
      context.addEventListener("change", () => {
        const refused = readContext(context.value) === null;
        ui.set({});
        context.value = ui.state().context;
        accept();
        if (!refused) return;
        context.after(reason);
        ui.say(`Context: ${reason.textContent}.`);
      });
      const places = [...new Set(CONTEXTS.map((pair) => pair.map((word) => VOCABULARY[word]).join(" ")))];
      const place = ui.choice({
        name: "place",
        label: "or a place in it",
        options: [["", "…"], ...places.map((words) => /** @type {[string, string]} */ ([words, words]))],
        get: (state) => (places.includes(state.context) ? state.context : ""),
        set: (state, words) => ({ context: words || state.context }),
      });

      const bars = VOCABULARY.map(() => h("div", { class: "ce-bar" }));
      const marks = VOCABULARY.map(() => h("span", { class: "ce-hint" }));
      const rows = VOCABULARY.map((word, k) =>
        h("li", {}, ui.output("next-word-probability", word, k), marks[k], h("div", { class: "ce-track", "aria-hidden": "true" }, bars[k])),
      );
      const first = h("ol", { class: "ce-words" });
      const others = h("ol", { class: "ce-words ce-others" }, ...rows);
      const share = h("summary");
      let leaders = "";

      const before = svg("path", { class: "ce-former" });
      const curve = svg("path", { class: "ce-trained" });
      const now = svg("circle", { class: "ce-main-dot", r: 4 });
      const axis = [0, 0.5, 1].map((part) => svg("text", { x: part * CHART.width, y: CHART.height + 14, "text-anchor": ["start", "middle", "end"][2 * part] }));
      const chart = svg(
        "svg",
        { class: "ce-drawing", viewBox: `-52 -6 ${CHART.width + 66} ${CHART.height + 24}`, "aria-hidden": "true" },
        ...[1, 0.1].map((nats) => svg("path", { class: "ce-level", d: `M0 ${up(nats)}H${CHART.width}` })),
        ...[[UNIFORM, show(UNIFORM, 2)], [1, "1"], [0.1, "0.1"], [FLOOR, show(FLOOR, 4)]].map(([nats, text]) => svg("text", { x: -4, y: up(Number(nats)) + 4, "text-anchor": "end" }, String(text))), // prettier-ignore
        svg("path", { class: "ce-uniform", d: `M0 ${up(UNIFORM)}H${CHART.width}` }),
        svg("path", { class: "ce-floor", d: `M0 ${up(FLOOR)}H${CHART.width}` }),
        svg("text", { x: CHART.width, y: up(UNIFORM) + 14, "text-anchor": "end" }, "the uniform guess"),
        svg("text", { x: CHART.width, y: up(FLOOR) - 7, "text-anchor": "end" }, "the floor"),
        ...axis,
        before,
        curve,
        now,
      );
      const compared = h("p", { class: "ce-hint" });

      let timer = 0;
      let painted = 0;
      const still = matchMedia("(prefers-reduced-motion: reduce)");
      const wanted = () => goal ?? ui.state().epochs;
      const tick = () => {
        timer = 0;
        run.reach(wanted(), SLICE_MILLISECONDS);
        const done = run.epoch() >= wanted();
        if (!done && performance.now() - painted < (still.matches ? STILL_MILLISECONDS : PAINT_MILLISECONDS)) {
          timer = requestAnimationFrame(tick);
          return;
        }
        const training = goal !== undefined;
        if (done) goal = undefined;
        if (training) report(done ? undefined : "train");
        else ui.repaint();
      };
      /** Say in the state how far it is. @param {string} [gesture] */
      const report = (gesture) => {
        said = run.epoch();
        ui.set({ epochs: said }, gesture);
        ui.repaint();
      };

      const train = ui.button("train", "Train", () => {
        goal = MOST_EPOCHS;
        said = ui.state().epochs;
        ui.repaint();
      });
      const pause = ui.button("pause", "Pause", () => {
        goal = undefined;
        report();
      });
      const step = ui.button("step", "One epoch", () => ui.set({ epochs: ui.state().epochs + 1 }));
      const sample = ui.button("sample", "Sample another line", () => {
        ui.set({ draw: (ui.state().draw % MOST_DRAWS) + 1 });
        ui.say(`Line ${ui.state().draw}: ${written.textContent}`);
      });
      const line = ui.output("line", "the words it draws");
      const written = /** @type {HTMLElement} */ (line.querySelector("output"));
      const opening = h("span", { class: "ce-hint" });
      ui.leave(() => cancelAnimationFrame(timer));

      ui.body.append(
        h("div", { class: "ce-pair" }, h("div", { class: "ce-control" }, h("label", {}, h("span", {}, "Context"), context)), place),
        h(
          "div",
          { class: "ce-pair" },
          h("div", {}, h("p", { class: "ce-hint" }, "Its bets on the next word. ◆ is what the sonnet has there."), first, h("details", {}, share, others)),
          h(
            "div",
            { class: "ce-training" },
            h("p", { class: "ce-hint" }, "The loss after each epoch, in nats a word; upwards in powers of ten."),
            chart,
            compared,
            h("div", { class: "ce-buttons" }, train, pause, step),
            h("div", { class: "ce-lines" }, ui.output("epoch", "epoch"), ui.output("loss", "loss, nats a word"), ui.output("perplexity", "perplexity"), ui.output("floor", "floor, nats a word")),
          ),
        ),
        h(
          "div",
          { class: "ce-pair" },
          ui.number({
            name: "temperature",
            label: "Temperature T",
            min: TEMPERATURE.low,
            max: TEMPERATURE.high,
            slider: { min: -1.3, max: 1.3, step: 0.05, log: true },
            get: (state) => state.temperature,
            set: (_, temperature) => ({ temperature }),
          }),
          ui.number({
            name: "learning-rate",
            label: "Learning rate",
            min: RATE.low,
            max: RATE.high,
            slider: { min: -4, max: -1, step: 0.1, log: true },
            get: (state) => state.learning_rate,
            set: (_, learning_rate) => ({ learning_rate, epochs: 0 }),
          }),
          ui.number({
            name: "top-k",
            label: "Only the k likeliest",
            min: 1,
            max: VOCABULARY.length,
            slider: { min: 1, max: VOCABULARY.length, step: 1 },
            whole: true,
            get: (state) => state.top_k,
            set: (_, top_k) => ({ top_k }),
          }),
          ui.choice({
            name: "method",
            label: "Steps",
            options: Object.entries(METHODS),
            get: (state) => state.method,
            set: (_, method) => ({ method, learning_rate: USUAL_RATE[method], epochs: 0 }),
          }),
        ),
        h("div", { class: "ce-sampled" }, ui.output("draw", "Line"), h("p", { class: "ce-named" }, opening, line), sample),
      );

      return (state, results) => {
        if (document.activeElement !== context) context.value = state.context;
        tell(opening, `${state.context} `);
        const p = /** @type {number[]} */ (results["next-word-probability"]);
        const truth = followers(indices(state.context));
        const ranked = p.map((_, k) => k).sort((a, b) => p[b] - p[a] || a - b);
        const top = ranked.slice(0, SHOWN_WORDS);
        if (String(top) !== leaders) {
          leaders = String(top);
          first.replaceChildren(...top.map((k) => rows[k]));
          others.replaceChildren(...rows.filter((_, k) => !top.includes(k)));
        }
        rows.forEach((_, k) => {
          const times = truth.filter((word) => word === k).length;
          bars[k].style.width = percent(p[k]);
          tell(marks[k], times ? `◆ ${times} of ${truth.length}` : "");
        });
        const left = ranked.slice(SHOWN_WORDS).reduce((sum, k) => sum + p[k], 0);
        tell(share, `The other ${VOCABULARY.length - SHOWN_WORDS} words have ${show(left)} together`);

        const busy = run.epoch() !== wanted();
        const full = run.epoch() === MOST_EPOCHS;
        ui.body.toggleAttribute("aria-busy", false);
        if (busy) ui.body.setAttribute("aria-busy", "true");
        train.setAttribute("aria-disabled", String(busy || full));
        step.setAttribute("aria-disabled", String(busy || full));
        pause.setAttribute("aria-disabled", String(!busy));
        painted = performance.now();
        if (busy && !timer) timer = requestAnimationFrame(tick);

        const reached = Math.max(run.epoch(), former?.epoch() ?? 0);
        const end = CHART.epochs.find((epochs) => epochs >= reached) ?? MOST_EPOCHS;
        const draw = (/** @type {number[]} */ losses) => `M${losses.map((nats, e) => `${((e / end) * CHART.width).toFixed(1)} ${up(nats).toFixed(1)}`).join("L")}`;
        curve.setAttribute("d", draw(run.losses));
        before.setAttribute("d", former ? draw(former.losses) : "");
        now.setAttribute("cx", String((run.epoch() / end) * CHART.width));
        now.setAttribute("cy", String(up(run.losses[run.epoch()])));
        axis.forEach((tick, j) => tell(tick, String((j / 2) * end)));
        const comparison = former
          ? `Dashed, the run before: ${METHODS[/** @type {keyof typeof METHODS} */ (former.method)]}, rate ${former.rate}, ${show(former.losses[former.epoch()], 4)} after ${former.epoch()} epochs.`
          : "A new learning rate, or the other kind of steps, begins a new run.";
        tell(compared, comparison);
      };
    },

    summary(state, results) {
      const p = /** @type {number[]} */ (results["next-word-probability"]);
      const [loss, perplexity] = [/** @type {number} */ (results.loss), /** @type {number} */ (results.perplexity)];
      const best = Math.max(...p);
      const seen = followers(indices(state.context)).length;
      const trained = results.epoch ? `After ${results.epoch} ${results.epoch === 1 ? "epoch" : "epochs"} the` : "Untrained, the";
      return (
        `${trained} loss is ${show(loss, 4)} nats a word, ${show(loss - FLOOR, 4)} above the floor: as unsure as among ${show(perplexity, perplexity < 10 ? 3 : 1)} equal words. ` +
        `After ${quoted(state.context)} the first bet is ${quoted(VOCABULARY[p.indexOf(best)])}, with ${state.top_k === 1 ? "certainty" : chance(best, "more than")}.` +
        (seen ? "" : " The sonnet has these two words nowhere in a row.")
      );
    },

    python: ({ context, temperature, top_k, method, learning_rate, epochs, draw }) => `import math

import torch
import torch.nn.functional as F
from torch import nn

words = """
${SONNET}""".split()
vocabulary = sorted(set(words))
ids = torch.tensor([vocabulary.index(word) for word in words])
contexts, targets = torch.stack([ids[:-2], ids[1:-1]], dim=1), ids[2:]

def uniforms(x):
    while True:  # Park, Miller and Stockmeyer's generator
        x = 48271 * x % 2147483647
        yield x / 2147483647

embedding, linear1, linear2 = nn.Embedding(${VOCABULARY.length}, ${SIZE}), nn.Linear(${2 * SIZE}, ${UNITS}), nn.Linear(${UNITS}, ${VOCABULARY.length})
model = nn.Sequential(embedding, nn.Flatten(), linear1, nn.ReLU(), linear2).double()
u = uniforms(${WEIGHTS_SEED})
with torch.no_grad():  # torch's own distributions, from a generator that a page has too
    for weight in embedding.weight.view(-1):
        weight.fill_(math.sqrt(-2 * math.log(next(u))) * math.cos(2 * math.pi * next(u)))
    for layer in (linear1, linear2):
        for parameter in layer.parameters():
            values = [(2 * next(u) - 1) / math.sqrt(layer.in_features) for _ in range(parameter.numel())]
            parameter.copy_(torch.tensor(values, dtype=torch.float64).view_as(parameter))

optimiser = torch.optim.${method === "batched" ? "AdamW" : "SGD"}(model.parameters(), lr=${python(learning_rate)})
size = ${method === "batched" ? "len(targets)" : 1}  # samples a step
for _ in range(${run.epoch() || epochs}):
    for i in range(0, len(targets), size):
        optimiser.zero_grad()
        F.cross_entropy(model(contexts[i : i + size]), targets[i : i + size]).backward()
        optimiser.step()
model.requires_grad_(False)

def next_word(context):
    scores = model(torch.tensor([context]))[0]
    best = scores.topk(${top_k})
    kept = torch.full_like(scores, -math.inf).scatter(0, best.indices, best.values)
    return torch.softmax(kept / ${python(temperature)}, dim=0)

context = [vocabulary.index(word) for word in "${context}".split()]
u = uniforms(${LINES_SEED})
skipped = [next(u) for _ in range(${LINE_WORDS * (draw - 1)})]
ahead = context
for _ in range(${LINE_WORDS}):
    ends = next_word(ahead[-2:]).cumsum(dim=0)
    ahead = [*ahead, min(int((ends <= next(u)).sum()), ${VOCABULARY.length - 1})]

same = (contexts[:, None] == contexts).all(dim=2)
agree = same & (targets[:, None] == targets)
loss = F.cross_entropy(model(contexts), targets).item()

print("next-word-probability", next_word(context).tolist())
print("epoch", ${run.epoch() || epochs})
print("loss", loss)
print("perplexity", math.exp(loss))
print("floor", (same.sum(dim=1).double() / agree.sum(dim=1)).log().mean().item())
print("draw", ${draw})
print("line", repr(" ".join(vocabulary[word] for word in ahead[2:])))
`,
  };
}

export default frame(createLab);
