"""NGramLab: train a language model of one sonnet, ask it for the next word, let it write. Chapter "ngram"."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from traitlets import TraitType

from crossentropy.ngram import (
    LEARNING_RATES,
    Method,
    NGramLanguageModeler,
    build_ngrams,
    build_vocabulary,
    encode,
    evaluate,
    floor,
    load_sonnet,
    next_word,
    training,
)
from crossentropy.widgets.lab import STATIC, Choice, Lab, Number, Result, Table, Whole, result, show

WORDS = load_sonnet().split()
VOCABULARY = build_vocabulary(WORDS)
TRIGRAMS = build_ngrams(WORDS)
CONTEXTS, TARGETS = encode(TRIGRAMS, VOCABULARY)
LINE_WORDS = 8
SHOWN_WORDS = 8
WEIGHTS_SEED = 1609
LINES_SEED = 1616


class Context(TraitType[str, Any]):
    """State: two words of the sonnet, as it prints them; it may be set from one string or from a sequence of two."""

    def __init__(self, default: str) -> None:
        super().__init__(default)
        self.tag(sync=True, state=True)

    def validate(self, obj: Any, value: Any) -> str:
        if not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
            raise TypeError(f"{self.name} must be a string of two words, got {type(value).__name__}")
        words = value.split() if isinstance(value, str) else list(value)
        if len(words) != 2:
            raise ValueError(f"{self.name} must hold two words, got {len(words)}")
        if unknown := [word for word in words if word not in VOCABULARY]:
            raise ValueError(f"{self.name} must hold words of the sonnet, got {', '.join(map(repr, unknown))}")
        return " ".join(words)


class NGramLab(Lab):
    """The network of :class:`crossentropy.ngram.NGramLanguageModeler` on the sonnet, after some epochs of training.

    It is float64, with 97 words in sorted order, embeddings of 10 numbers, contexts of two words in reading order and
    128 hidden units. Its first weights have torch's initial distributions, drawn by Park and Miller's generator, so that
    the page starts from the same ones: see :func:`initial_model`. A training is a matter of ``method``,
    ``learning_rate`` and ``epochs`` alone, and always starts from there.

    ``next_word_probability`` has an entry for each word of the vocabulary. ``loss`` is the mean of the model as it
    stands, in nats a word, ``perplexity`` its exponential, ``floor`` what no model gets below. ``line`` are eight words
    that the model writes after the context; ``draw`` numbers the lines, each with randomness of its own.

    Args:
        context: Two words of the sonnet, such as "thy beauty's".
        temperature: From 0.01 to 100.
        top_k: Only so many of the likeliest words keep a probability, 1 to 97.
        method: "per-sample" or "batched", as in :func:`crossentropy.ngram.train`.
        learning_rate: From 0.0001 to 0.1.
        epochs: From 0 to 1000; 1000 take some seconds.
        draw: From 1 to 999.

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "ngram"
    title = "N-gram lab"
    _esm = STATIC / "ngram.js"

    context = Context("thy beauty's")
    temperature = Number(1.0, low=0.01, high=100)
    top_k = Whole(len(VOCABULARY), low=1, high=len(VOCABULARY))
    method = Choice("per-sample", Method)
    learning_rate = Number(LEARNING_RATES["per-sample"], low=0.0001, high=0.1)
    epochs = Whole(0, low=0, high=1000)
    draw = Whole(1, low=1, high=999)

    next_word_probability = result()
    epoch = result()
    loss = result()
    perplexity = result()
    floor = result()
    line = result()

    def __init__(self, **traits: Any) -> None:
        # The training so far and what it is a training of: one more epoch shall cost one epoch.
        self._run: tuple[object, NGramLanguageModeler, Iterator[float]] | None = None
        self._epoch = 0
        super().__init__(**traits)

    def compute(self) -> dict[str, Result]:
        model = self._model()
        context = [VOCABULARY.index(word) for word in self.context.split()]
        reached = evaluate(model, CONTEXTS, TARGETS)
        return {
            "next_word_probability": self._next_word(model, context).tolist(),
            "epoch": self.epochs,
            "loss": reached.nats,
            "perplexity": reached.perplexity,
            "floor": floor(TRIGRAMS),
            "line": " ".join(VOCABULARY[word] for word in self._line(model, context)),
        }

    def table(self) -> Table:
        caption = (
            f"After “{self.context}”, at epoch {self.epochs}: loss {show(self.loss)} nats a word, perplexity {show(self.perplexity)}, "
            f"floor {self.floor:.4f}. A line: {self.line}"
        )
        likeliest = sorted(range(len(VOCABULARY)), key=lambda word: (-self.next_word_probability[word], word))
        after = [word for context, word in TRIGRAMS if " ".join(context) == self.context]
        rows = [
            [
                VOCABULARY[word],
                show(self.next_word_probability[word]),
                f"{after.count(VOCABULARY[word])} of {len(after)}",
            ]
            for word in likeliest[:SHOWN_WORDS]
        ]
        return caption, ["next word", "probability", "in the sonnet"], rows

    def _model(self) -> NGramLanguageModeler:
        wanted = (self.method, self.learning_rate)
        if self._run is None or self._run[0] != wanted or self._epoch > self.epochs:
            model = initial_model()
            steps = training(model, CONTEXTS, TARGETS, method=cast(Method, self.method), lr=self.learning_rate)
            self._run, self._epoch = (wanted, model, steps), 0
        _, model, steps = self._run
        while self._epoch < self.epochs:
            next(steps)
            self._epoch += 1
        return model

    def _next_word(self, model: NGramLanguageModeler, context: list[int]) -> Tensor:
        return next_word(model, torch.tensor([context]), temperature=self.temperature, top_k=int(self.top_k))[0]

    def _line(self, model: NGramLanguageModeler, context: list[int]) -> list[int]:
        source = uniforms(LINES_SEED)
        for _ in range(LINE_WORDS * (int(self.draw) - 1)):
            next(source)
        line = list(context)
        for _ in range(LINE_WORDS):
            ends = self._next_word(model, line[-2:]).cumsum(dim=0)
            # Rounding may leave the last end below 1.
            line.append(min(int((ends <= next(source)).sum()), len(VOCABULARY) - 1))
        return line[2:]


def uniforms(seed: int) -> Iterator[float]:
    """Numbers between 0 and 1 from x -> 48271 x mod 2^31 - 1, which a page computes without rounding too.

    See: Park, Miller & Stockmeyer (1993), a letter in Communications of the ACM 36(7).
    """
    x = seed
    while True:
        x = 48271 * x % 2147483647
        yield x / 2147483647


def initial_model() -> NGramLanguageModeler:
    """The untrained model: embeddings normal, each layer uniform within 1/sqrt(inputs), in float64."""
    model = NGramLanguageModeler(len(VOCABULARY), 10, 2).double()
    model.load_state_dict(_initial_weights())
    return model


@cache
def _initial_weights() -> dict[str, Tensor]:
    model = NGramLanguageModeler(len(VOCABULARY), 10, 2).double()
    source = uniforms(WEIGHTS_SEED)
    weights = {"embeddings.weight": [_normal(source) for _ in range(model.embeddings.weight.numel())]}
    for name, layer in (("linear1", model.linear1), ("linear2", model.linear2)):
        for part, parameter in layer.named_parameters():
            bound = math.sqrt(layer.in_features)
            weights[f"{name}.{part}"] = [(2 * next(source) - 1) / bound for _ in range(parameter.numel())]
    shapes = model.state_dict()
    return {name: torch.tensor(flat, dtype=torch.float64).view_as(shapes[name]) for name, flat in weights.items()}


def _normal(source: Iterator[float]) -> float:
    """Box and Muller's way from two uniform numbers to a normal one."""
    return math.sqrt(-2 * math.log(next(source))) * math.cos(2 * math.pi * next(source))
