"""NGramLab in the browser."""

import copy
import math
from functools import cache
from itertools import islice

import torch
import torch.nn.functional as F
from labs import Case, Change

from crossentropy.widgets import NGramLab
from crossentropy.widgets.ngram import CONTEXTS, LINE_WORDS, LINES_SEED, TARGETS, VOCABULARY, initial_model, uniforms

ANSWER = {"next-word-probability", "line"}
TRAINING = {"epoch", "loss", "perplexity"}


@cache
def trained(method, rate, epochs):
    """The network and its optimiser after so many epochs of torch's own loop."""
    if epochs == 0:
        model = initial_model()
        return model, {"batched": torch.optim.AdamW, "per-sample": torch.optim.SGD}[method](model.parameters(), lr=rate)
    model, optimiser = copy.deepcopy(trained(method, rate, epochs - 1))
    size = {"batched": len(TARGETS), "per-sample": 1}[method]
    for contexts, targets in zip(CONTEXTS.split(size), TARGETS.split(size), strict=True):
        optimiser.zero_grad()
        F.cross_entropy(model(contexts), targets).backward()
        optimiser.step()
    return model, optimiser


def expected(controls):
    model, _ = trained(controls["method"], controls["learning-rate"], int(controls["epoch"]))

    @torch.no_grad()
    def next_word(context):
        scores = model(torch.tensor(context))[0]
        scores[scores < scores.sort(descending=True).values[int(controls["top-k"]) - 1]] = -math.inf
        return torch.softmax(scores / controls["temperature"], 0)

    context = [VOCABULARY.index(word) for word in controls["context"].split()]
    skipped = LINE_WORDS * int(controls["draw"] - 1)
    words = list(context)
    for u in islice(uniforms(LINES_SEED), skipped, skipped + LINE_WORDS):
        words.append(int(torch.searchsorted(next_word(words[-2:]).cumsum(0), u, right=True)))
    with torch.no_grad():
        loss = F.cross_entropy(model(CONTEXTS), TARGETS).item()
    return {
        "next-word-probability": next_word(context).tolist(),
        "epoch": controls["epoch"],
        "loss": loss,
        "perplexity": math.exp(loss),
        "floor": 4 * math.log(2) / 113,
        "draw": controls["draw"],
        "line": " ".join(VOCABULARY[word] for word in words[2:]),
    }


CASE = Case(
    lab=NGramLab,
    page="/chapters/ngram.html",
    expected=expected,
    given={"epoch", "draw"},
    # At the start nothing is trained, at whatever rate.
    controls={
        "temperature": Change(moves={"next-word-probability"}, stays=TRAINING | {"floor"}),
        "top-k": Change(moves={"next-word-probability"}, stays=TRAINING | {"floor"}),
        "learning-rate": Change(moves=set(), stays=TRAINING | {"floor"}),
        "method": Change(moves=set(), stays=TRAINING | {"floor"}),
        "context": Change(moves=ANSWER, stays=TRAINING | {"floor"}),
        "place": Change(moves=ANSWER, stays=TRAINING | {"floor"}),
    },
    buttons={
        "step": Change(moves=TRAINING | {"next-word-probability"}, stays={"floor", "draw"}),
        "sample": Change(moves={"draw", "line"}, stays=TRAINING | {"floor", "next-word-probability"}),
    },
    states=[
        {"context": "thine own", "epochs": 12, "learning_rate": 0.05, "temperature": 0.5, "top_k": 3, "draw": 4},
        {"context": "When cold.", "epochs": 25, "method": "batched", "learning_rate": 0.02, "draw": 999},
    ],
)
