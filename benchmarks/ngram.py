"""Training on the sonnet: a loop over single samples with autograd, against ``crossentropy.ngram.train``."""

from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from benchmarks.ratio import Ratio, seconds
from torch import Tensor

from crossentropy import ngram
from crossentropy.ngram import build_ngrams, build_vocabulary, encode, evaluate, load_sonnet, train

CONTEXT_SIZE = 2
EMBEDDING_DIM = 10


class NGramLanguageModeler(nn.Module):
    """The chapter's first model as it stands there: one context at a time."""

    def __init__(self, vocab_size: int, embedding_dim: int, context_size: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.linear1 = nn.Linear(context_size * embedding_dim, 128)
        self.linear2 = nn.Linear(128, vocab_size)

    def forward(self, inputs: Tensor) -> Tensor:
        embeds = self.embeddings(inputs).view(1, -1)
        out = F.relu(self.linear1(embeds))
        out = self.linear2(out)  # raw logits — no softmax!
        return out  # type: ignore[no-any-return]


class Loop:
    """The chapter's first training loop as it stands there, in portions of ``epochs``."""

    def __init__(self, vocab: list[str], ngrams: list[ngram.NGram]) -> None:
        self.ngrams = ngrams
        self.word_to_ix = {word: i for i, word in enumerate(vocab)}
        self.model = NGramLanguageModeler(len(vocab), EMBEDDING_DIM, CONTEXT_SIZE)
        self.loss_function = nn.CrossEntropyLoss()
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.001)
        self.losses: list[float] = []

    def run(self, epochs: int) -> None:
        # Local names, so that the loop pays for no look-up that it does not pay for in the chapter.
        model, loss_function, optimizer, word_to_ix = self.model, self.loss_function, self.optimizer, self.word_to_ix
        for _ in range(epochs):
            total_loss = 0.0
            for context, target in self.ngrams:
                context_idxs = torch.tensor([word_to_ix[w] for w in context], dtype=torch.long)

                model.zero_grad()
                logits = model(context_idxs)

                loss = loss_function(logits, torch.tensor([word_to_ix[target]], dtype=torch.long))

                loss.backward()
                optimizer.step()
                total_loss += loss.item()

            self.losses.append(total_loss)


def measure(epochs: int = 1000, portions: int = 10) -> list[Ratio]:
    """Run the loop once, in portions, and time both of ours after each: a busy spell slows all three.

    All start from the same weights. "To the same loss" means the mean over all tokens after training; that each
    way gets there is checked before any ratio is reported.
    """
    words = load_sonnet().split()
    vocabulary = build_vocabulary(words)
    ngrams = build_ngrams(words, CONTEXT_SIZE, order="reversed")
    contexts, targets = encode(ngrams, vocabulary)
    portion = epochs // portions

    torch.manual_seed(0)
    loop = Loop(vocabulary, ngrams)
    start = {name: tensor.clone() for name, tensor in loop.model.state_dict().items()}

    def fresh() -> ngram.NGramLanguageModeler:
        model = ngram.NGramLanguageModeler(len(vocabulary), EMBEDDING_DIM, CONTEXT_SIZE)
        model.load_state_dict(start)
        return model

    def loss(model: nn.Module) -> float:
        same = fresh()
        same.load_state_dict(model.state_dict())
        return evaluate(same, contexts, targets).nats

    # Where the loop will end, and how many batched steps get as far: neither is timed.
    rehearsal = fresh()
    train(rehearsal, contexts, targets, epochs=portion * portions, method="per-sample")
    goal = loss(rehearsal)
    # Entry e of a batched run is the loss after e steps.
    steps = next(e for e, nats in enumerate(train(fresh(), contexts, targets, epochs=100)) if nats < goal)

    written = fresh()
    loop_times, written_times, batched_times = [], [], []
    for _ in range(portions):
        batched = fresh()
        loop_times.append(seconds(lambda: loop.run(portion)))
        written_times.append(seconds(lambda: train(written, contexts, targets, epochs=portion, method="per-sample")))
        batched_times.append(seconds(partial(train, batched, contexts, targets, epochs=steps)))

    reached = loss(loop.model)
    if abs(loss(written) - reached) > 1e-5:
        raise AssertionError(f"written out, the loop ends at {loss(written)} nats; with autograd at {reached}")
    if loss(batched) > reached:
        raise AssertionError(f"{steps} batched steps end at {loss(batched)} nats, the loop at {reached}")

    return [
        Ratio(
            f"{steps} full-batch AdamW steps against {portion * portions} epochs of the loop, to {reached:.4f} nats a token",
            tuple(portions * slow / fast for slow, fast in zip(loop_times, batched_times, strict=True)),
            at_least=500.0,
        ),
        Ratio(
            "the same epochs with p - y written out, against autograd",
            tuple(slow / fast for slow, fast in zip(loop_times, written_times, strict=True)),
        ),
    ]
