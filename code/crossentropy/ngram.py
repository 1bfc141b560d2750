"""An n-gram language model of one sonnet: data, model, training, evaluation, baselines. Chapter "ngram".

Every loss is a mean in nats per token; :func:`evaluate` gives bits a word and perplexity beside it.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import count, islice
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy.linalg.blas import get_blas_funcs
from threadpoolctl import ThreadpoolController
from torch import Tensor, nn

from crossentropy.softmax import log_softmax, softmax
from crossentropy.validation import (
    INTEGER_DTYPES,
    require_choice,
    require_class_index,
    require_count,
    require_float,
    require_tensor,
)

NGram = tuple[tuple[str, ...], str]
LanguageModel = Callable[[Tensor], Tensor]
Order = Literal["reading", "reversed"]
Method = Literal["batched", "per-sample"]
Baseline = Literal["uniform", "unigram", "bigram", "ngram"]

HIDDEN_UNITS = 128
LEARNING_RATES: dict[Method, float] = {"batched": 0.02, "per-sample": 0.001}


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts ``tokens`` words: the same mean loss in three units."""

    nats: float  # mean of -log p(word | context), natural logarithm
    tokens: int

    @property
    def bits(self) -> float:
        """Bits a word: nats / log 2."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats), the exponential of the mean over all tokens (never a mean of exponentials)."""
        # e^709 is the largest double: beyond it the honest answer is infinity, not an OverflowError.
        return math.exp(self.nats) if self.nats < 709 else math.inf


def load_sonnet() -> str:
    """Shakespeare's second sonnet (1609, public domain): 14 lines, ASCII; 115 words of 97 types by ``.split()``."""
    return files("crossentropy").joinpath("data", "sonnet2.txt").read_text(encoding="ascii")


def split_lines(text: str, *, held_out: int = 4) -> tuple[list[str], list[str]]:
    """Words of the first lines, to train on, and of the last ``held_out`` lines, to test on.

    Take the vocabulary from the *whole* text: a held-out word is then improbable, not impossible, and the
    uniform guess costs log V on both parts. No n-gram reaches across the cut.

    Raises:
        TypeError: if ``text`` is no string, or ``held_out`` no int.
        ValueError: if ``held_out`` leaves no line for either part.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {type(text).__name__}")
    lines = [line for line in text.splitlines() if line.strip()]
    require_count(held_out, "held_out")
    if held_out >= len(lines):
        raise ValueError(f"held_out must be less than the {len(lines)} lines of text, got {held_out}")
    return " ".join(lines[:-held_out]).split(), " ".join(lines[-held_out:]).split()


def build_vocabulary(words: Sequence[str]) -> list[str]:
    """The distinct words, sorted: a word's index is its position, the same in every run (a set's order is not).

    Raises:
        TypeError: if ``words`` is one string instead of a sequence of words.
        ValueError: if ``words`` is empty.
    """
    _require_words(words, "words")
    if not words:
        raise ValueError("words must not be empty")
    return sorted(set(words))


def build_ngrams(words: Sequence[str], context_size: int = 2, *, order: Order = "reading") -> list[NGram]:
    """Each word with the ``context_size`` words before it, as (context, target).

    Args:
        words: The text, at least ``context_size`` + 1 words.
        context_size: Number of words that the model sees, at least one.
        order: "reading" gives contexts as they are read; "reversed" puts the nearest word first, which is
            what ``[text[i - j - 1] for j in range(context_size)]`` does.

    Raises:
        TypeError: if ``words`` is one string, or ``context_size`` no int.
        ValueError: if there are too few words, or ``context_size`` or ``order`` is none of the above.
    """
    _require_words(words, "words")
    require_count(context_size, "context_size")
    require_choice(order, "order", Order)
    if len(words) <= context_size:
        raise ValueError(f"words must hold more than context_size = {context_size} words, got {len(words)}")
    step = 1 if order == "reading" else -1
    return [(tuple(words[i - context_size : i])[::step], words[i]) for i in range(context_size, len(words))]


def encode(ngrams: Sequence[NGram], vocabulary: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Indices of n-grams in ``vocabulary``: contexts, shape (n, context_size), and targets, shape (n,); int64.

    Raises:
        ValueError: if ``ngrams`` is empty or its contexts differ in length, if the vocabulary repeats a word,
            or if a word is not in it, naming the word.
    """
    if not ngrams:
        raise ValueError("ngrams must not be empty")
    sizes = {len(context) for context, _ in ngrams}
    if len(sizes) > 1:
        raise ValueError(f"ngrams must have contexts of one length, got lengths {sorted(sizes)}")
    index = _index(vocabulary)
    contexts = [_indices(context, index, "ngrams") for context, _ in ngrams]
    targets = _indices([target for _, target in ngrams], index, "ngrams")
    return torch.tensor(contexts), torch.tensor(targets)


def floor(ngrams: Sequence[NGram]) -> float:
    """H(next | context) in nats a token: the loss that no model gets below on these very n-grams.

    The mean of -log(count(context, target) / count(context)), by counts. For the sonnet's 113 trigrams it is
    4 log 2 / 113 = 0.02454; what a model loses above it is the mean KL divergence from the counts.

    Raises:
        ValueError: if ``ngrams`` is empty.

    See: Cover & Thomas (2006), section 2.2; chapter "ngram".
    """
    if not ngrams:
        raise ValueError("ngrams must not be empty")
    pairs = Counter((tuple(context), target) for context, target in ngrams)
    contexts = Counter(tuple(context) for context, _ in ngrams)
    return math.fsum(n * math.log(contexts[context] / n) for (context, _), n in pairs.items()) / len(ngrams)


class NGramLanguageModeler(nn.Module):
    """Embeddings of the context, one hidden layer of 128 rectified units, raw logits of the next word.

    Args:
        vocab_size: Number of words V.
        embedding_dim: Size of a word's vector.
        context_size: Number of words that the model sees.

    Weights are torch's default initialisation: seed it (``torch.manual_seed``) for a repeatable model.

    Raises:
        TypeError: if a size is no int.
        ValueError: if a size is below one.

    See: Bengio et al. (2003); chapter "ngram".
    """

    def __init__(self, vocab_size: int, embedding_dim: int, context_size: int) -> None:
        super().__init__()
        require_count(vocab_size, "vocab_size")
        require_count(embedding_dim, "embedding_dim")
        require_count(context_size, "context_size")
        self.context_size = context_size
        self.embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.linear1 = nn.Linear(context_size * embedding_dim, HIDDEN_UNITS)
        self.linear2 = nn.Linear(HIDDEN_UNITS, vocab_size)

    def forward(self, inputs: Tensor, *, validate: bool = True) -> Tensor:
        """Logits of the next word.

        Args:
            inputs: Word indices of one context, shape (context_size,), or of n of them, shape (n, context_size).
            validate: False skips the check that every index lies in the vocabulary, for ``vmap``.

        Returns:
            Shape (1, V) for one context, as ``.view(1, -1)`` gives it; (n, V) for n.

        Raises:
            TypeError: if ``inputs`` holds no integers.
            ValueError: if its shape is neither, or an index is not in [0, V - 1].
        """
        require_tensor(inputs, "inputs")
        if inputs.ndim not in (1, 2) or inputs.shape[-1] != self.context_size:
            expected = f"({self.context_size},) or (n, {self.context_size})"
            raise ValueError(f"inputs must have shape {expected}, got {tuple(inputs.shape)}")
        require_class_index(
            inputs,
            "inputs",
            num_classes=self.embeddings.num_embeddings,
            shape=tuple(inputs.shape),
            validate=validate,
        )
        embeds = self.embeddings(inputs.long()).reshape(-1, self.linear1.in_features)
        logits: Tensor = self.linear2(F.relu(self.linear1(embeds)))
        return logits


def train(
    model: NGramLanguageModeler,
    contexts: Tensor,
    targets: Tensor,
    *,
    epochs: int,
    method: Method = "batched",
    lr: float | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Lower the cross-entropy of the targets given their contexts; changes ``model`` in place.

    Args:
        model: The model, float32 or float64; the computation runs in its dtype. Nothing here is random.
        contexts: Word indices, shape (n, context_size).
        targets: Index of the next word, shape (n,).
        epochs: Passes over the data.
        method: "batched" takes one AdamW step an epoch on the mean loss (torch's defaults but for ``lr``);
            "per-sample" takes one plain gradient step for each sample, in order, as an autograd loop over
            ``optim.SGD`` would, with the gradient p - y written out.
        lr: Learning rate; by default 0.02 (batched) or 0.001 (per-sample).
        on_epoch: Called as ``on_epoch(epoch, loss)`` after each epoch's update, epochs counted from 0.

    Returns:
        The mean loss of each epoch, nats a token (a loop that adds up ``loss.item()`` gets n times as much),
        measured before the update: batched, entry e is the loss after e steps; per-sample, each sample's loss is
        taken just before its own step.

    Raises:
        TypeError: if an argument is of the wrong type, or the model neither float32 nor float64.
        ValueError: if a shape, index, ``epochs``, ``method`` or ``lr`` is impossible, or if ``lr`` is so
            large that the loss is no longer finite.

    See: Loshchilov & Hutter (2019) for AdamW; chapters "gradient" and "ngram".
    """
    epoch_losses = training(model, contexts, targets, method=method, lr=lr)
    require_count(epochs, "epochs")
    losses = []
    for epoch, loss in enumerate(islice(epoch_losses, epochs)):
        losses.append(loss)
        if on_epoch is not None:
            on_epoch(epoch, loss)
    return losses


def training(
    model: NGramLanguageModeler,
    contexts: Tensor,
    targets: Tensor,
    *,
    method: Method = "batched",
    lr: float | None = None,
) -> Iterator[float]:
    """As :func:`train`, one epoch for each ``next``, without an end: for whoever wants to look in between.

    Returns:
        An iterator over the mean loss of each epoch; before it yields, ``model`` has taken the epoch's steps.

    Raises:
        TypeError, ValueError: at once where an argument is impossible; from ``next`` where the loss is no longer finite.
    """
    if not isinstance(model, NGramLanguageModeler):
        raise TypeError(f"model must be an NGramLanguageModeler, got {type(model).__name__}")
    dtype = model.linear2.weight.dtype
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f"model must be float32 or float64 to be trained, got {dtype}")
    _require_data(contexts, targets, vocab_size=model.embeddings.num_embeddings, context_size=model.context_size)
    require_choice(method, "method", Method)
    rate = LEARNING_RATES[method] if lr is None else _learning_rate(lr)
    step = (_adamw_epochs if method == "batched" else _sgd_epochs)(model, contexts.long(), targets.long(), rate)

    def losses() -> Iterator[float]:
        for epoch in count():
            loss = step()
            if not math.isfinite(loss):
                raise ValueError(
                    f"lr must be small enough for the loss to stay finite; it is {loss} in epoch {epoch} with lr {rate:g}"
                )
            yield loss

    return losses()


def evaluate(model: LanguageModel, contexts: Tensor, targets: Tensor) -> Evaluation:
    """Mean loss of ``model`` on the given tokens, computed in float64 from its scores.

    Args:
        model: Maps contexts to logits or log-probabilities (which are logits too: log-softmax is idempotent),
            shape (n, V); an :class:`NGramLanguageModeler` or a :class:`CountModel`.
        contexts: Word indices, shape (n, context_size).
        targets: Index of the next word, shape (n,).

    Returns:
        An :class:`Evaluation`; infinite where the model rules out a word that occurs.

    Raises:
        TypeError: if the data or the scores have the wrong dtype.
        ValueError: if the shapes do not fit each other, the data are empty, or a target is no word.
    """
    _require_data(contexts, targets)
    log_probs = _log_probs(model, contexts)
    require_class_index(targets, "targets", num_classes=log_probs.shape[1], shape=(len(contexts),))
    losses = -log_probs.gather(1, targets.long().unsqueeze(1))
    # fsum rounds once, so the last digit does not depend on the order of the sum.
    return Evaluation(nats=math.fsum(losses.flatten().tolist()) / len(losses), tokens=len(losses))


def next_word(model: LanguageModel, contexts: Tensor, *, temperature: float = 1.0, top_k: int | None = None) -> Tensor:
    """Probabilities of the next word, as :func:`generate` draws from them.

    Args:
        model: As for :func:`evaluate`.
        contexts: Word indices, shape (n, context_size).
        temperature: Positive; below one sharpens, above one flattens.
        top_k: Only the ``top_k`` likeliest words keep a probability; they share the rest. None keeps them all.

    Returns:
        Shape (n, V), float64; each row sums to one.

    Raises:
        TypeError: if ``contexts`` holds no integers, or ``top_k`` is no int.
        ValueError: if a shape does not fit, or ``temperature`` or ``top_k`` is out of range.
    """
    _require_contexts(contexts)
    scores = _log_probs(model, contexts)
    if top_k is not None:
        require_count(top_k, "top_k")
        if top_k > scores.shape[1]:
            raise ValueError(f"top_k must be at most the {scores.shape[1]} words of the vocabulary, got {top_k}")
        best = scores.topk(top_k)
        scores = torch.full_like(scores, -math.inf).scatter(1, best.indices, best.values)
    return softmax(scores, temperature=temperature)


def generate(
    model: LanguageModel,
    vocabulary: Sequence[str],
    context: Sequence[str],
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> list[str]:
    """Draw ``length`` words, each from the model's distribution after the words before it.

    Args:
        model: As for :func:`evaluate`.
        vocabulary: The word of each index, as :func:`build_vocabulary` gives it.
        context: The words to start from, as many as the model sees, in reading order (a model trained on
            reversed contexts would be misread).
        length: Number of new words.
        temperature: Positive; below one sharpens, above one flattens.
        top_k: Draw only from the ``top_k`` likeliest words; 1 is greedy. None keeps them all.
        generator: Source of randomness; the same state gives the same words.

    Returns:
        The new words, without ``context``.

    Raises:
        TypeError: if ``context`` is one string, or ``length`` or ``top_k`` no int.
        ValueError: if a word of ``context`` is unknown or their number does not fit the model, if
            ``vocabulary`` does not fit it, or if ``length``, ``temperature`` or ``top_k`` is out of range.

    See: chapter "softmax" for the temperature.
    """
    _require_words(context, "context")
    require_count(length, "length")
    window = _indices(context, _index(vocabulary), "context")
    if not window:
        raise ValueError("context must not be empty")
    words = []
    for _ in range(length):
        probs = next_word(model, torch.tensor([window]), temperature=temperature, top_k=top_k)[0]
        if len(probs) != len(vocabulary):
            raise ValueError(f"vocabulary must have the model's {len(probs)} words, got {len(vocabulary)}")
        drawn = int(torch.multinomial(probs, 1, generator=generator))
        words.append(vocabulary[drawn])
        window = [*window[1:], drawn]
    return words


@dataclass(frozen=True)
class CountModel:
    """A model that only counts; call it with contexts, shape (n, context_size), for log-probabilities (n, V)."""

    kind: Baseline
    vocab_size: int
    alpha: float
    counts: dict[tuple[int, ...], Tensor]  # the last words of a context -> how often each word followed, shape (V,)

    def __call__(self, contexts: Tensor) -> Tensor:
        """log((count + alpha) / (total + alpha V)) in float64; with ``alpha`` 0 a context must have been seen.

        Raises:
            TypeError, ValueError: if ``contexts`` is no integer tensor of shape (n, context_size), n > 0, or
                if ``alpha`` is 0 and a context was never seen.
        """
        _require_contexts(contexts)
        nothing = torch.zeros(self.vocab_size, dtype=torch.float64)
        rows = [self.counts.get(_suffix(context, self.kind), nothing) for context in contexts.tolist()]
        smoothed = torch.stack(rows) + (1.0 if self.kind == "uniform" else self.alpha)
        total = smoothed.sum(1, keepdim=True)
        if (total == 0).any():
            row = int((total == 0).nonzero()[0, 0])
            raise ValueError(f"contexts[{row}] was never seen, which leaves a {self.kind} with alpha = 0 no prediction")
        return smoothed.log() - total.log()


def baseline(kind: Baseline, contexts: Tensor, targets: Tensor, *, vocab_size: int, alpha: float = 1.0) -> CountModel:
    """Count the training data; the result is a model for :func:`evaluate` and :func:`generate`.

    Args:
        kind: "uniform" (no data: log V nats, always), "unigram" (how often a word occurs as a target), "bigram"
            (given the last word of the context, in reading order) or "ngram" (given the whole context).
        contexts: Word indices, shape (n, context_size).
        targets: Index of the next word, shape (n,).
        vocab_size: Number of words V.
        alpha: Added to every count, so that no word is impossible; an "ngram" with 0 attains :func:`floor`.

    Raises:
        TypeError: if an argument is of the wrong type.
        ValueError: if ``kind`` is none of the four, a shape or an index does not fit, or ``alpha`` is negative
            or not finite.

    See: Jurafsky & Martin (2009), section 4.5; chapter "ngram".
    """
    require_choice(kind, "kind", Baseline)
    require_count(vocab_size, "vocab_size")
    _require_data(contexts, targets, vocab_size=vocab_size)
    if not (_number(alpha, "alpha") >= 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha must be non-negative and finite, got {alpha}")
    counts: dict[tuple[int, ...], Tensor] = {}
    if kind != "uniform":
        for context, target in zip(contexts.tolist(), targets.tolist(), strict=True):
            row = counts.setdefault(_suffix(context, kind), torch.zeros(vocab_size, dtype=torch.float64))
            row[target] += 1
    return CountModel(kind=kind, vocab_size=vocab_size, alpha=float(alpha), counts=counts)


def _suffix(context: list[int], kind: Baseline) -> tuple[int, ...]:
    """The part of a context that a baseline looks at."""
    if kind == "ngram":
        return tuple(context)
    return tuple(context[-1:]) if kind == "bigram" else ()


def _log_probs(model: LanguageModel, contexts: Tensor) -> Tensor:
    """The model's scores, checked and normalised in float64, shape (n, V)."""
    with torch.no_grad():
        scores = model(contexts)
    require_float(scores, "the model's output")
    if scores.ndim != 2 or len(scores) != len(contexts):
        raise ValueError(f"the model's output must have shape ({len(contexts)}, V), got {tuple(scores.shape)}")
    return log_softmax(scores.double())


def _adamw_epochs(model: NGramLanguageModeler, contexts: Tensor, targets: Tensor, lr: float) -> Callable[[], float]:
    """One AdamW step on the whole batch a call; returns the loss before the step."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr)

    def epoch() -> float:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(contexts, validate=False), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.item()

    return epoch


def _sgd_epochs(model: NGramLanguageModeler, contexts: Tensor, targets: Tensor, lr: float) -> Callable[[], float]:
    """One step a sample, over all samples, a call; returns the mean of the losses met on the way.

    NumPy, because at this size an operation's overhead outweighs its arithmetic, and torch's is larger.
    """
    parameters = dict(model.named_parameters())
    embeddings, hidden_bias, output_bias = (
        parameters[name].detach().cpu().numpy().copy() for name in ("embeddings.weight", "linear1.bias", "linear2.bias")
    )
    # Transposed and column-major: BLAS's rank-one update (ger) then works in place, without a temporary.
    hidden, output = (
        np.array(parameters[name].detach().cpu().numpy().T, order="F") for name in ("linear1.weight", "linear2.weight")
    )
    rank_one: Any = get_blas_funcs("ger", dtype=embeddings.dtype)
    size = embeddings.shape[1]
    samples = list(zip(contexts.tolist(), targets.tolist(), strict=True))
    threads = ThreadpoolController()

    def epoch() -> float:
        nonlocal hidden, output
        total = 0.0
        # A second thread waits longer than it helps at this size; a learning rate that is too large is train's to report.
        with threads.limit(limits=1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
            for context, target in samples:
                embeds = embeddings[context].reshape(-1)
                active = np.maximum(embeds @ hidden + hidden_bias, 0)
                logits = active @ output + output_bias
                logits -= logits.max()
                true_logit = float(logits[target])
                d_logits = np.exp(logits, out=logits)
                normaliser = float(d_logits.sum())
                total += math.log(normaliser) - true_logit
                # p - y, and from there the chain rule backwards; every gradient is taken before any update.
                d_logits /= normaliser
                d_logits[target] -= 1
                d_active = output @ d_logits
                d_active *= active > 0
                d_embeds = hidden @ d_active
                output = rank_one(-lr, active, d_logits, a=output, overwrite_a=True)
                output_bias[:] -= lr * d_logits
                hidden = rank_one(-lr, embeds, d_active, a=hidden, overwrite_a=True)
                hidden_bias[:] -= lr * d_active
                # One position after another: a word that stands twice in a context is pulled twice.
                for position, word in enumerate(context):
                    embeddings[word] -= lr * d_embeds[position * size : (position + 1) * size]
        _store(embeddings, hidden.T, hidden_bias, output.T, output_bias)
        return total / len(samples)

    def _store(*arrays: Any) -> None:
        names = ("embeddings.weight", "linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias")
        with torch.no_grad():
            for name, array in zip(names, arrays, strict=True):
                parameters[name].copy_(torch.from_numpy(array))

    return epoch


def _require_contexts(contexts: Tensor, *, context_size: int | None = None) -> None:
    require_tensor(contexts, "contexts")
    if contexts.dtype not in INTEGER_DTYPES:
        raise TypeError(f"contexts must hold integer word indices, got {contexts.dtype}")
    wanted = "context_size" if context_size is None else context_size
    if contexts.ndim != 2 or (context_size is not None and contexts.shape[1] != context_size):
        raise ValueError(f"contexts must have shape (n, {wanted}), got {tuple(contexts.shape)}")
    if contexts.numel() == 0:
        raise ValueError(f"contexts must not be empty, got shape {tuple(contexts.shape)}")


def _require_data(
    contexts: Tensor, targets: Tensor, *, vocab_size: int | None = None, context_size: int | None = None
) -> None:
    """Without ``vocab_size`` the model, which knows it, judges the indices."""
    _require_contexts(contexts, context_size=context_size)
    known, classes = vocab_size is not None, vocab_size or 1
    require_class_index(contexts, "contexts", num_classes=classes, shape=tuple(contexts.shape), validate=known)
    require_class_index(targets, "targets", num_classes=classes, shape=(len(contexts),), validate=known)


def _require_words(words: Sequence[str], name: str) -> None:
    if isinstance(words, str):
        raise TypeError(f"{name} must be a sequence of words, got one string; split it with .split()")


def _index(vocabulary: Sequence[str]) -> dict[str, int]:
    _require_words(vocabulary, "vocabulary")
    index = {word: i for i, word in enumerate(vocabulary)}
    if len(index) < len(vocabulary):
        repeated = next(word for word, count in Counter(vocabulary).items() if count > 1)
        raise ValueError(f"vocabulary must hold each word once, got {repeated!r} more often")
    return index


def _indices(words: Sequence[str], index: dict[str, int], name: str) -> list[int]:
    unknown = [word for word in words if word not in index]
    if unknown:
        raise ValueError(f"{name} must hold words of the vocabulary, got {', '.join(map(repr, unknown))}")
    return [index[word] for word in words]


def _learning_rate(lr: float) -> float:
    if not (_number(lr, "lr") > 0 and math.isfinite(lr)):
        raise ValueError(f"lr must be positive and finite, got {lr}")
    return float(lr)


def _number(value: float, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    return value
