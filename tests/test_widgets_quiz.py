"""The quiz: its questions (every wrong answer is met, every number is computed again), its Python face, and its JavaScript."""

import gzip
import itertools
import json
import math
import re
from collections import Counter

import pytest
import torch
from bs4 import BeautifulSoup
from torch.nn import functional as F

import crossentropy.widgets.quiz as quiz
from crossentropy.binary import sigmoid
from crossentropy.gradient import logit_gradient
from crossentropy.information import cross_entropy, entropy, kl_divergence, perplexity, surprise
from crossentropy.interfaces import trapped_range
from crossentropy.likelihood import cost
from crossentropy.ngram import build_ngrams, floor, load_sonnet
from crossentropy.softmax import softmax
from crossentropy.stability import capped_cross_entropy, overflow_threshold
from crossentropy.widgets import Quiz
from javascript import ROOT, WIDGETS, node
from notebooks import Book

CHAPTERS = [page.name for page in Book(ROOT).notebooks if page.number]
PARTS = ["predict", "exercise"]
ASKED = [
    (chapter, question) for chapter in CHAPTERS for part in PARTS for question in quiz.load_questions(chapter, part)
]
DERIVED = [(chapter, question) for chapter, question in ASKED if question["kind"] == "order"]
FEWEST = 3

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS)
every_question = pytest.mark.parametrize(
    ("chapter", "question"), ASKED, ids=[f"{chapter}-{question['name']}" for chapter, question in ASKED]
)


def real(*values):
    return torch.tensor(values, dtype=torch.float64)


def steps_to_rest(factor, dtype):
    """How often 1 is multiplied by the factor until nothing changes any more, and what is left."""
    product, factor = torch.ones((), dtype=dtype), torch.tensor(factor, dtype=dtype)
    for step in itertools.count():
        if product * factor == product:
            return step, product.item()
        product = product * factor


def smoothed():
    return 0.9 * real(1, 0, 0, 0, 0) + 0.1 / 5


def after_sigmoid(z, y):
    return F.binary_cross_entropy(torch.sigmoid(torch.tensor(z)), torch.tensor(y)).item()


BOOK = real(2.0, 0.5, 0.1)
SURE = real(-10, 10, 0)[None]
FIRST = torch.tensor([0])

# By chapter and question: the answer and each mistake, then all other numbers that its sentences name.
EXPECTED = {
    ("softmax", "odds"): lambda: [
        (softmax(BOOK)[0] / softmax(BOOK)[1]).item(),
        2.0 / 0.5,
        2.0 - 0.5,
        (softmax(BOOK)[1] / softmax(BOOK)[0]).item(),
        2**1.5,
    ],
    ("likelihood", "underflow"): lambda: [
        steps_to_rest(0.1, torch.float32)[0],
        steps_to_rest(0.1, torch.float64)[0],
        math.ceil(-math.log10(torch.finfo(torch.float32).tiny)),
    ],
    ("gradient", "sure-and-wrong"): lambda: [
        logit_gradient(SURE, FIRST)[0, 0].item(),
        0.0,
        -cost(SURE, FIRST).item(),
        cost(SURE, FIRST).item(),
        -logit_gradient(SURE, FIRST)[0, 0].item(),
    ],
    ("information", "uniform"): lambda: [
        entropy(torch.full((8,), 1 / 8), unit="bits").item(),
        perplexity(torch.full((8,), 1 / 8)).item(),
        entropy(torch.full((8,), 1 / 8, dtype=torch.float64)).item(),
        8 - 1,
        1 / 8,
    ],
    ("information", "floor"): lambda: [
        entropy(smoothed()).item(),
        0.0,
        surprise(smoothed())[0].item(),
        0.1,
        math.log(5),
        smoothed()[0].item(),
        smoothed()[1].item(),
    ],
    ("binary", "symmetric"): lambda: [
        softmax(real(-1.5, 1.5))[1].item(),
        sigmoid(real(1.5)).item(),
        softmax(real(-1.5, 1.5))[0].item(),
        sigmoid(real(0.75)).item(),
        0.75,
    ],
    ("binary", "clamp"): lambda: [
        after_sigmoid(17.0, 0.0),
        F.binary_cross_entropy_with_logits(torch.tensor(17.0), torch.tensor(0.0)).item(),
        after_sigmoid(17.0, 1.0),
        torch.sigmoid(torch.tensor(17.0)).item(),
    ],
    ("interfaces", "trap"): lambda: [
        trapped_range(3)[0],
        0.0,
        cost(softmax(BOOK)[None], FIRST).item(),
        math.log(3),
        trapped_range(3)[1],
        math.e / (math.e + 2),
    ],
    ("interfaces", "first-loss"): lambda: [
        cost(torch.zeros(1, 10, dtype=torch.float64), FIRST).item(),
        softmax(torch.zeros(10, dtype=torch.float64))[0].item(),
        math.log2(10),
        1 - 1 / 10,
    ],
    ("stability", "half"): lambda: [
        overflow_threshold(torch.float16),
        overflow_threshold(torch.float32),
        overflow_threshold(torch.float64),
        math.log2(torch.finfo(torch.float16).max),
        torch.finfo(torch.float16).max,
    ],
    ("stability", "epsilon"): lambda: [
        capped_cross_entropy(real(0, 200), 0, 1e-8).item(),
        cost(real(0, 200)[None], FIRST).item(),
        -math.log10(1e-8),
        0.0,
        math.log(10),
    ],
    ("ngram", "floor"): lambda: [
        floor(build_ngrams(list("abcdefgabhij"), 2)),
        0.0,
        math.log(2) / 10,
        math.log(2),
    ],
    ("ngram", "perplexity"): lambda: [
        perplexity(torch.full((97,), 1 / 97, dtype=torch.float64)).item(),
        entropy(torch.full((97,), 1 / 97, dtype=torch.float64)).item(),
        2 ** math.log(97),
        1 / 97,
    ],
    ("gradient", "largest-push"): lambda: [0.4, 0.35, 0.25, 1 - 0.4],
    ("information", "truth-moves"): lambda: [
        *[0.7, 0.2, 0.1],
        cross_entropy(real(0.7, 0.2, 0.1), real(0.7, 0.2, 0.1)).item(),
        cross_entropy(real(0, 0, 1), real(0.7, 0.2, 0.1)).item(),
    ],
    ("interfaces", "dead-gradient"): lambda: [0.6],
    ("likelihood", "stuck"): lambda: [0.7],
    ("softmax", "newcomer"): lambda: [1.0],
}


def lines_of_sum():
    """Six samples with the same features, of the classes 0, 0, 0, 1, 1, 2."""
    p, counts, m = softmax(BOOK), real(3, 2, 1), 6
    c = torch.tensor([0, 0, 0, 1, 1, 2])
    y = F.one_hot(c, 3).double()
    return [
        -p[c].log().mean(),
        -(y * p.log()).sum(dim=1).mean(),
        -(y * p.log()).sum(dim=0).sum() / m,
        -(counts / m * p.log()).sum(),
        cross_entropy(counts / m, p),
        -p.log().sum(),
        -p[c].sum().log() / m,
    ]


def lines_of_trap():
    k, p = 3, real(1, 0, 0)
    return [
        -torch.log_softmax(p, 0)[0],
        p.exp().sum().log() - p[0],
        (p[0].exp() + (k - 1) * p[1].exp()).log() - 1,
        (p[0].exp() + k - 1).log() - p[0].exp().log(),
        (1 + (k - 1) / p[0].exp()).log(),
        -p[0].log(),
        (p[0].exp() + (k - 1) * p[1]).log() - 1,
    ]


def lines_of_floor():
    """The sonnet, by a model that guesses: p is uniform. The two lines that follow the inequality are equal to the floor."""
    ngrams = build_ngrams(load_sonnet().split())
    after = {}
    for context, word in ngrams:
        after.setdefault(tuple(context), []).append(word)
    shares = [real(*Counter(words).values()) / len(words) for words in after.values()]
    weights = [len(words) / len(ngrams) for words in after.values()]
    loss, lowest = math.log(97), floor(ngrams)
    mean = [
        sum(w * h for w, h in zip(weights, values, strict=True))
        for values in ([loss] * len(after), map(entropy, shares))
    ]
    excess = sum(w * (loss - entropy(p)) for w, p in zip(weights, shares, strict=True))
    at_113 = math.log(2) / 113
    return [loss, mean[0], mean[1] + excess, mean[1], 4 * at_113, loss * len(after), 2 * at_113], lowest


# By chapter: the value of the first line, then of every line in the order of the file. All that stand are equal, wrong ones are not.
Z, P, Q, SHIFT = BOOK, real(0.5, 0.3, 0.2), real(0.1, 0.2, 0.7), 0.7
E, M = Z.exp(), Z.max()
LINES = {
    "softmax": lambda: [
        (Z + SHIFT).exp() / (Z + SHIFT).exp().sum(),
        math.exp(SHIFT) * E / (math.exp(SHIFT) * E).sum(),
        math.exp(SHIFT) * E / (math.exp(SHIFT) * E.sum()),
        E / E.sum(),
        softmax(Z),
        (math.exp(SHIFT) + E) / (math.exp(SHIFT) + E).sum(),
        E / (math.exp(SHIFT) * E.sum()),
    ],
    "likelihood": lines_of_sum,
    "information": lambda: [
        -(P * Q.log()).sum(),
        -(P * (P * Q / P).log()).sum(),
        -(P * P.log()).sum() - (P * (Q / P).log()).sum(),
        -(P * P.log()).sum() + (P * (P / Q).log()).sum(),
        entropy(P) + kl_divergence(P, Q),
        -(P * P.log() * (Q / P).log()).sum(),
        entropy(P) + kl_divergence(Q, P),
    ],
    "binary": lambda: [
        softmax(torch.stack([0 * Z, Z]), dim=0)[1],
        E / (1 + E),
        1 / ((-Z).exp() + 1),
        sigmoid(Z),
        E / (0 + E),
        E / ((-Z).exp() + E),
    ],
    "interfaces": lines_of_trap,
    "stability": lambda: [
        (E[1] / E.sum()).log(),
        Z[1] - E.sum().log(),
        Z[1] - (M.exp() * (Z - M).exp().sum()).log(),
        Z[1] - M - (Z - M).exp().sum().log(),
        Z[1] - M - (1 + (Z[1:] - M).exp().sum()).log(),
        Z[1] - (Z - M).exp().sum().log(),
        Z[1] - M - (Z - M).sum(),
    ],
}
GIVEN = [*BOOK.tolist(), 0.1, 1.5, 0.818]


@every_chapter
def test_every_chapter_asks_at_least_three(chapter):
    questions = quiz.load_questions(chapter)
    assert len(questions) >= FEWEST
    assert len({question["name"] for question in questions}) == len(questions)


def test_each_kind_of_question_is_asked():
    assert {question["kind"] for _, question in ASKED} == {"one", "several", "number", "order"}


@every_chapter
def test_every_chapter_has_a_derivation_among_its_exercises(chapter):
    assert [question["kind"] for question in quiz.load_questions(chapter, "exercise")].count("order") >= 1
    page = Book(ROOT).pages[chapter]
    text = page.path.read_text()
    assert text.count(f'Quiz("{chapter}", part="exercise")') == 1
    assert text.index("## Exercises") < text.index(f'Quiz("{chapter}", part="exercise")')


@pytest.mark.parametrize(("chapter", "question"), DERIVED, ids=[chapter for chapter, _ in DERIVED])
def test_the_lines_of_a_derivation_tell_nothing_of_their_order(chapter, question):
    chain = [line["text"] for line in question["line"] if "never" not in line]
    assert [text for text in quiz.offered(question) if text in chain] != chain
    assert sorted(quiz.offered(question)) == sorted(line["text"] for line in question["line"])
    # A line that is wrong comes last in the file: the places of those that stand are 0, 1, 2, ...
    assert ["never" in line for line in question["line"]] == sorted("never" in line for line in question["line"])


@pytest.mark.parametrize("chapter", LINES)
def test_lines_that_stand_are_equal_and_wrong_ones_are_not(chapter):
    (question,) = quiz.load_questions(chapter, "exercise")
    first, *values = LINES[chapter]()
    for line, value in zip(question["line"], values, strict=True):
        assert torch.allclose(value.expand_as(first), first) != ("never" in line), line["text"]


def test_the_lines_of_the_gradient_are_the_loss_and_then_its_slope():
    z = BOOK.clone().requires_grad_()
    c, y, p = 1, real(0, 1, 0), softmax(BOOK)
    loss = -softmax(z)[c].log()
    (slope,) = torch.autograd.grad(loss, z)
    (question,) = quiz.load_questions("gradient", "exercise")
    values = [z.exp().sum().log() - z[c], E / E.sum() - y, p - y, p - y, z.sum() - z[c], y - p]
    for line, value in zip(question["line"], values, strict=True):
        expected = loss if line["text"].startswith("`J") else slope
        assert torch.allclose(value, expected) != ("never" in line), line["text"]


def test_the_lines_of_the_floor_are_the_loss_and_then_its_bound():
    (question,) = quiz.load_questions("ngram", "exercise")
    (loss, *values), lowest = lines_of_floor()
    bounded = False
    for line, value in zip(question["line"], values, strict=True):
        bounded |= line["text"].startswith("`≥")
        expected = lowest if bounded else loss
        assert math.isclose(value, expected) != ("never" in line), line["text"]


def test_no_file_of_questions_is_left_over():
    assert sorted(path.stem for path in quiz.QUESTIONS.iterdir()) == sorted([*CHAPTERS, "inventory"])


@every_chapter
def test_the_chapter_asks_before_its_last_cell_and_once(chapter):
    page = Book(ROOT).pages[chapter]
    where = [k for k, cell in enumerate(page.cells) if cell.source == f'Quiz("{chapter}")']
    assert len(where) == 1
    assert where[0] < len(page.cells) / 2


@every_question
def test_a_question_is_complete(chapter, question):
    common = {"name", "kind", "text", "feedback"} | ({"part"} if "part" in question else set())
    if question["kind"] == "order":
        assert question.keys() == common | {"start", "line"}
        for k, line in enumerate(question["line"]):
            assert line.keys() == (
                {"text", "never"} if "never" in line else {"text", "because"} | ({"early"} if k else set())
            )
        assert sum("never" not in line for line in question["line"]) >= 3
        assert sum("never" in line for line in question["line"]) >= 1
    elif question["kind"] == "number":
        allowed = common | {"answer", "tolerance", "otherwise", "mistake"}
        assert allowed <= question.keys() <= allowed | {"unit"}
        assert question["tolerance"] > 0
        assert len(question["mistake"]) >= 2
        assert all(mistake.keys() == {"value", "tolerance", "feedback"} for mistake in question["mistake"])
    else:
        assert question.keys() == common | {"option"}
        assert all({"text"} <= option.keys() <= {"text", "right", "feedback"} for option in question["option"])
        assert len(question["option"]) >= 3
        assert len({option["text"] for option in question["option"]}) == len(question["option"])


@every_question
def test_every_wrong_answer_has_a_sentence_of_its_own(chapter, question):
    if question["kind"] == "number":
        said = [question["otherwise"], *(mistake["feedback"] for mistake in question["mistake"])]
    elif question["kind"] == "order":
        said = [said for line in question["line"] for key, said in line.items() if key != "text"]
    else:
        rights = [option for option in question["option"] if option.get("right")]
        assert len(rights) == 1 if question["kind"] == "one" else 1 <= len(rights) < len(question["option"])
        met = [o for o in question["option"] if question["kind"] == "several" or not o.get("right")]
        said = [option["feedback"] for option in met]
    sentences = [question["feedback"], *said]
    assert all(re.fullmatch(r"[A-Z0-9].{15,}[.?]", sentence) for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


@every_question
def test_no_two_numbers_are_taken_for_each_other(chapter, question):
    if question["kind"] != "number":
        return
    ranges = [(question["answer"], question["tolerance"])]
    ranges += [(mistake["value"], mistake["tolerance"]) for mistake in question["mistake"]]
    for (a, near_a), (b, near_b) in itertools.combinations(ranges, 2):
        assert abs(a - b) > near_a + near_b


@every_question
def test_every_expected_number_is_what_the_package_computes(chapter, question):
    if question["kind"] != "number":
        return
    computed = EXPECTED[chapter, question["name"]]()
    stored = [(question["answer"], question["tolerance"])]
    stored += [(mistake["value"], mistake["tolerance"]) for mistake in question["mistake"]]
    for (value, tolerance), exact in zip(stored, computed, strict=False):
        # A whole number may stand for what is nearly one: a loss of 20.00005, or 2 to the power of 15.9999.
        assert value == pytest.approx(exact, abs=max(1e-6, tolerance / 100) if value == round(value) else 1e-6)
    assert len(computed) >= len(stored)


@every_question
def test_every_number_in_a_sentence_is_given_or_computed(chapter, question):
    known = [*GIVEN, *EXPECTED.get((chapter, question["name"]), list)()]
    texts = [question["text"], question["feedback"], question.get("otherwise", "")]
    texts += [said for line in question.get("line", []) for said in line.values()]
    texts += [entry.get("feedback", "") for entry in [*question.get("option", []), *question.get("mistake", [])]]
    for number in re.findall(r"\d+\.\d+(?!\d*e)", " ".join(texts)):
        decimals = len(number.partition(".")[2])
        assert any(f"{abs(value):.{decimals}f}" == number for value in known), number


def test_the_smallest_floats_that_the_sentences_name():
    tiny = torch.finfo(torch.float32).smallest_normal
    assert f"{tiny:.1e}" == "1.2e-38"
    assert f"{tiny * torch.finfo(torch.float32).eps:.1e}" == "1.4e-45"
    assert f"{math.ulp(0.0):.1e}" == "4.9e-324"


def test_what_the_choices_take_for_granted():
    # softmax: the shift, the scale and the newcomer
    torch.testing.assert_close(softmax(BOOK + 5), softmax(BOOK))
    p, crowded = softmax(BOOK), softmax(torch.cat([BOOK, real(1.0)]))
    torch.testing.assert_close(softmax(2 * BOOK)[0] / softmax(2 * BOOK)[1], (p[0] / p[1]) ** 2)
    torch.testing.assert_close(crowded[0] / crowded[1], p[0] / p[1])
    assert crowded[0] < p[0]
    # likelihood: 0.7 gets stuck where 0.1 does not
    assert steps_to_rest(0.7, torch.float32)[1] == pytest.approx(1.4e-45, rel=0.01)
    assert steps_to_rest(0.1, torch.float32)[1] == 0
    # interfaces: the softmax taken twice feels nothing, the log-softmax taken twice changes nothing
    z = SURE.clone().requires_grad_()
    F.cross_entropy(torch.softmax(z, 1), FIRST).backward()
    assert f"{z.grad[0, 0].abs().item():.0e}" == "3e-09"
    assert f"{-logit_gradient(SURE, FIRST)[0, 0].item():.3f}" == "1.000"
    torch.testing.assert_close(F.cross_entropy(F.log_softmax(SURE, 1), FIRST), F.cross_entropy(SURE, FIRST))
    # binary: the pairs
    lead = real(1.3)
    zero = torch.zeros_like(lead)
    torch.testing.assert_close(softmax(torch.stack([zero, lead]), dim=0)[1], sigmoid(lead))
    torch.testing.assert_close(softmax(torch.stack([-lead, lead]), dim=0)[1], sigmoid(2 * lead))
    torch.testing.assert_close(softmax(torch.stack([lead, zero]), dim=0)[1], 1 - sigmoid(lead))


# The Python face.


def rightly(question):
    if question["kind"] == "number":
        return question["answer"]
    if question["kind"] == "order":
        return [k for k, line in enumerate(question["line"]) if "never" not in line]
    return [k for k, option in enumerate(question["option"]) if option.get("right")]


@every_chapter
def test_a_derivation_is_right_in_its_order_alone(chapter):
    (question,) = quiz.load_questions(chapter, "exercise")
    lab, whole = Quiz(chapter, part="exercise"), rightly(question)
    for answer in (whole[:-1], whole[::-1], [*whole, len(whole)], [len(whole)]):
        lab.answers = {question["name"]: answer}
        assert (lab.answers, lab.right) == ({question["name"]: answer}, [])
    lab.answers = {question["name"]: whole}
    assert lab.right == [question["name"]]
    assert eval(repr(lab)).answers == lab.answers
    assert question["start"] in lab.to_text()
    assert "because" not in lab.to_text()


@every_chapter
def test_right_names_what_is_answered_rightly(chapter):
    lab = Quiz(chapter)
    assert (lab.answers, lab.right) == ({}, [])
    names = [question["name"] for question in lab.questions]
    for question in lab.questions:
        lab.answers = {**lab.answers, question["name"]: rightly(question)}
    assert lab.right == names
    lab.answers = {}
    assert lab.right == []


def test_a_single_place_will_do_for_a_choice():
    lab = Quiz("softmax", answers={"shift-or-scale": 1, "newcomer": (3, 1, 1), "odds": 4})
    assert lab.answers == {"shift-or-scale": [1], "newcomer": [1, 3], "odds": 4.0}
    assert lab.right == ["shift-or-scale", "newcomer"]
    assert eval(repr(lab)).answers == lab.answers


def test_a_change_is_observed():
    lab, seen = Quiz("softmax"), []
    lab.observe(lambda change: seen.append(change.new), "right")
    lab.answers = {"odds": 4.48}
    assert seen == [["odds"]]


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ([1], TypeError, "answers must be a dict, got list"),
        ({"twice": 1}, ValueError, "answers must be to shift-or-scale, odds, newcomer; got 'twice'"),
        ({"odds": "4"}, TypeError, "the answer to odds must be a number, got str"),
        ({"odds": math.nan}, ValueError, "the answer to odds must be finite"),
        ({"newcomer": [4]}, ValueError, "must be 1 to 4 of the places 0 to 3, got [4]"),
        ({"newcomer": []}, ValueError, "must be 1 to 4 of the places 0 to 3, got []"),
        ({"shift-or-scale": [0, 1]}, ValueError, "must be 1 to 1 of the places 0 to 3, got [0, 1]"),
        ({"newcomer": "01"}, TypeError, "must be the place of an option or a list of places, got '01'"),
        ({"newcomer": [True]}, TypeError, "must be the place of an option or a list of places, got [True]"),
    ],
)
def test_answers_that_fit_no_question_are_refused(answers, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Quiz("softmax", answers=answers)
    lab = Quiz("softmax")
    with pytest.raises(error, match=re.escape(message)):
        lab.answers = answers
    assert lab.answers == {}


def test_a_chapter_without_questions_is_refused():
    with pytest.raises(ValueError, match=r"chapter must be one of binary, .*, stability; got 'softmin'"):
        Quiz("softmin")
    with pytest.raises(ValueError, match=r"part must be 'predict' or 'exercise' or .*, got 'later'"):
        Quiz("softmax", part="later")
    with pytest.raises(ValueError, match="part must be exercise or predict for the chapter softmax; got 'before'"):
        Quiz("softmax", part="before")


@every_chapter
def test_paper_shows_the_questions_and_not_the_answers(chapter):
    lab = Quiz(chapter)
    shown = lab._repr_mimebundle_()[0]
    assert set(shown) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    page = BeautifulSoup(shown["text/html"], "html.parser")
    state = json.loads(page.select_one('.ce-lab[data-widget="quiz"] > script[type="application/json"]').string)
    assert state == {"chapter": chapter, "questions": lab.questions, "answers": {}, "start": {}}
    page.script.decompose()
    for text in (page.get_text(), shown["text/plain"].replace("`", "")):
        for question in lab.questions:
            assert question["text"].replace("`", "") in text
            assert question["feedback"].replace("`", "") not in text
            for option in question.get("option", []):
                assert option["text"].replace("`", "") in text
    assert not re.search(r"\b(src|href|id|style|on\w+)=", str(page))
    assert shown["text/plain"].splitlines()[0] == f"Quiz('{chapter}')"


def test_the_package_ships_the_questions():
    assert '"widgets/questions/*.toml"' in (ROOT / "pyproject.toml").read_text()


def test_the_bundle_stays_small():
    assert len(gzip.compress((WIDGETS / "static" / "quiz.js").read_bytes())) < 5000


# The page's code judges as Python does.

JUDGE = """
import {{ mark, clean }} from {module};
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const cases = JSON.parse(Buffer.concat(chunks).toString());
console.log(JSON.stringify(cases.map(([name, ...args]) => ({{ mark, clean }})[name](...args))));
"""


def call(cases):
    code = JUDGE.format(module=json.dumps((WIDGETS / "js" / "quiz.js").as_uri()))
    return json.loads(node("--input-type=module", "-e", code, input=json.dumps(cases)))


def every_answer(question):
    if question["kind"] == "number":
        near = [(question["answer"], question["tolerance"])]
        near += [(mistake["value"], mistake["tolerance"]) for mistake in question["mistake"]]
        return [value + shift * tolerance for value, tolerance in near for shift in (-1.01, -0.99, 0, 0.99, 1.01)]
    if question["kind"] == "order":
        whole = rightly(question)
        prefixes = [whole[:size] for size in range(len(whole) + 1)]
        return [[*laid, k] for laid in prefixes for k in range(len(question["line"])) if k not in laid]
    places = range(len(question["option"]))
    most = 1 if question["kind"] == "one" else len(places)
    return [list(chosen) for size in range(1, most + 1) for chosen in itertools.combinations(places, size)]


def test_the_page_judges_every_answer_as_python_does():
    cases = [(question, answer) for _, question in ASKED for answer in every_answer(question)]
    for (question, answer), judged in zip(cases, call([["mark", *case] for case in cases]), strict=True):
        assert judged["right"] is quiz.is_right(question, answer)
        assert judged["feedback"]
        if judged["right"]:
            assert judged["feedback"] == [question["feedback"]]
        elif question["kind"] == "order":
            line, last = question["line"][answer[-1]], answer[-1]
            follows = answer == rightly(question)[: len(answer)]
            assert judged.get("partly", False) is follows
            assert judged["feedback"] == [line["because"] if follows else line.get("never") or line["early"]], last
        elif question["kind"] == "number":
            near = [m["feedback"] for m in question["mistake"] if abs(answer - m["value"]) <= m["tolerance"]]
            assert judged["feedback"] == (near or [question["otherwise"]])
        elif question["kind"] == "one":
            assert judged["feedback"] == [question["option"][answer[0]]["feedback"]]
        else:
            amiss = [o for k, o in enumerate(question["option"]) if (k in answer) != o.get("right", False)]
            words = ["Left out" if option.get("right") else "Not this" for option in amiss]
            assert judged["feedback"] == [
                f"{word}: “{option['text']}”. {option['feedback']}" for word, option in zip(words, amiss, strict=True)
            ]


def test_what_was_kept_is_believed_only_where_it_fits():
    questions = quiz.load_questions("softmax")
    good = {"shift-or-scale": [1], "odds": 4.5, "newcomer": [0, 3]}
    broken = [None, 3, "x", [], {"odds": None}, {"odds": "4"}, {"odds": [1]}, {"newcomer": []}, {"newcomer": [4]}]
    broken += [
        {"newcomer": ["length"]},
        {"newcomer": 1},
        {"shift-or-scale": [0, 1]},
        {"shift-or-scale": [0.5]},
        {"a": 1},
    ]
    kept = call([["clean", questions, answers] for answers in [good, *broken, {**good, "odds": None}]])
    assert kept == [good, *[{}] * len(broken), {name: good[name] for name in ("shift-or-scale", "newcomer")}]
