"""What NGramLab does besides its numbers: training in slices, pausing, its contexts, its drawing and its sentence."""

import math
import re

import pytest
from lab_ngram import CASE
from labs import assert_right, controls, results

from crossentropy.ngram import build_ngrams, load_sonnet

TRIGRAMS = build_ngrams(load_sonnet().split())
COUNT_FRAMES = """
globalThis.painted = 0;
const count = () => { painted += 1; requestAnimationFrame(count); };
requestAnimationFrame(count);
"""


@pytest.fixture
def open_lab(visitor, origins):
    def open_lab(fragment="", **options):
        page = visitor.open(f"{origins['http']}/chapters/ngram.html{fragment}", light=True, **options)
        root = page.locator('[data-widget="ngram"][data-ready="true"]')
        root.wait_for()
        return root

    return open_lab


def epoch(root):
    return results(root)["epoch"]


def still(root):
    root.locator('[aria-busy="true"]').wait_for(state="detached")


def bets(root):
    return [
        words.strip()
        for words in root.locator(".ce-words").first.locator("li label > span:first-child").all_text_contents()
    ]


@pytest.mark.parametrize("means", ["mouse", "touch", "Enter", "Space"])
def test_training_goes_on_until_it_is_paused(open_lab, means):
    root = open_lab(touch=means == "touch")

    def press(name):
        button = root.locator(f'[name="{name}"]')
        if means == "mouse":
            button.click()
        elif means == "touch":
            button.tap()
        else:
            button.press(means)

    before = results(root)
    press("train")
    root.page.wait_for_function(
        "root => Number(root.querySelector('[data-quantity=epoch]').value) > 3", arg=root.element_handle()
    )
    press("pause")
    still(root)
    paused = results(root)
    assert paused["loss"] < before["loss"]
    assert_right(CASE, root)
    root.page.wait_for_timeout(300)
    assert results(root) == paused
    press("train")
    root.page.wait_for_function(
        "([root, epoch]) => Number(root.querySelector('[data-quantity=epoch]').value) > epoch",
        arg=[root.element_handle(), paused["epoch"]],
    )
    press("pause")
    still(root)
    assert_right(CASE, root)
    root.page.wait_for_url(re.compile(rf"ngram\.epochs={epoch(root):.0f}"))


def test_training_leaves_the_page_smooth(open_lab):
    root = open_lab(before=COUNT_FRAMES)
    root.locator('[name="train"]').click()
    frames, first = root.page.evaluate("painted"), epoch(root)
    root.page.wait_for_function("frames => painted > frames + 10", arg=frames)
    root.page.wait_for_function(
        "([root, epoch]) => Number(root.querySelector('[data-quantity=epoch]').value) > epoch + 5",
        arg=[root.element_handle(), first],
    )
    # How long a frame takes is measured by `make bench`; here, that frames are painted while epochs pass: several each.
    more = root.page.evaluate("painted")
    passed = epoch(root) - first
    root.locator('[name="pause"]').click()
    still(root)
    assert more - frames > passed / 10


def test_controls_answer_while_it_trains(open_lab):
    root = open_lab()
    root.locator('[name="train"]').click()
    root.locator('[name="temperature"]').fill("2")
    root.locator('[name="place"]').select_option("When forty")
    first = epoch(root)
    root.page.wait_for_function(
        "([root, epoch]) => Number(root.querySelector('[data-quantity=epoch]').value) > epoch",
        arg=[root.element_handle(), first],
    )
    # On a slow machine the training may have ended by now.
    assert controls(root)["context"] == "When forty"
    assert_right(CASE, root)


@pytest.mark.parametrize("name", ["reset", "method"])
def test_a_new_start_ends_the_training(open_lab, name):
    root = open_lab()
    root.locator('[name="train"]').click()
    root.page.wait_for_function(
        "root => Number(root.querySelector('[data-quantity=epoch]').value) > 2", arg=root.element_handle()
    )
    control = root.locator(f'[name="{name}"]')
    control.select_option("batched") if name == "method" else control.click()
    still(root)
    root.page.wait_for_timeout(200)
    assert epoch(root) == 0
    assert_right(CASE, root)


def test_the_other_method_brings_its_own_rate_and_shows_the_run_before(open_lab):
    root = open_lab("#ngram.epochs=6")
    still(root)
    loss = root.locator('[data-quantity="loss"]').text_content()
    assert root.locator(".ce-former").get_attribute("d") == ""
    root.locator('[name="method"]').select_option("batched")
    assert controls(root)["learning-rate"] == 0.02
    assert root.locator(".ce-former").get_attribute("d").count("L") == 6
    assert f"rate 0.001, {loss} after 6 epochs" in root.locator(".ce-body").text_content()


def test_a_link_trains_as_far_as_it_says(open_lab):
    root = open_lab("#ngram.epochs=40&ngram.learning_rate=0.1")
    still(root)
    assert epoch(root) == 40
    assert_right(CASE, root)
    root.page.evaluate("location.hash = '#ngram.epochs=10&ngram.learning_rate=0.1'")
    root.page.wait_for_timeout(50)
    still(root)
    assert epoch(root) == 10
    assert_right(CASE, root)


def test_the_curve_and_the_floor_stand_where_the_numbers_say(open_lab):
    root = open_lab("#ngram.epochs=20&ngram.method=batched&ngram.learning_rate=0.02")
    still(root)
    points = root.locator(".ce-trained").get_attribute("d").lstrip("M").split("L")
    heights = [float(point.split()[1]) for point in points]
    assert len(heights) == 21
    floor = float(re.search(r"M0 ([\d.]+)H", root.locator(".ce-floor").get_attribute("d"))[1])
    uniform = float(re.search(r"M0 ([\d.]+)H", root.locator(".ce-uniform").get_attribute("d"))[1])

    def nats(height):
        share = (height - uniform) / (floor - uniform)
        return math.exp(math.log(math.log(97)) + share * (math.log(results(root)["floor"]) - math.log(math.log(97))))

    assert nats(heights[-1]) == pytest.approx(results(root)["loss"], rel=0.01)
    assert all(height <= floor for height in heights)
    assert float(root.locator(".ce-main-dot").get_attribute("cy")) == pytest.approx(heights[-1], abs=0.1)


def test_a_context_may_be_typed_without_its_commas(open_lab):
    root = open_lab()
    box = root.locator('[name="context"]')
    box.fill("of SMALL")
    assert box.get_attribute("aria-invalid") is None
    box.fill("beauty's field")
    assert box.input_value() == "beauty's field"
    box.blur()
    assert box.input_value() == "beauty's field,"
    assert_right(CASE, root)


@pytest.mark.parametrize("words", ["", "thy", "thy cat", "all thy beauty", ", ."])
def test_what_is_not_two_words_of_the_sonnet_is_refused(open_lab, words):
    root = open_lab()
    before = results(root)
    box = root.locator('[name="context"]')
    box.fill(words)
    assert box.get_attribute("aria-invalid") == "true"
    assert results(root) == before
    box.blur()
    assert box.input_value() == "thy beauty's"
    assert box.get_attribute("aria-invalid") is None


def test_every_place_of_the_sonnet_can_be_chosen_once(open_lab):
    root = open_lab()
    offered = root.locator('[name="place"] option').evaluate_all("all => all.map((option) => option.value)")
    assert offered[1:] == list(dict.fromkeys(" ".join(context) for context, _ in TRIGRAMS))
    root.locator('[name="context"]').fill("When cold.")
    assert controls(root)["place"] == ""
    assert "nowhere in a row" in root.locator(".ce-summary").text_content()


def test_the_first_bets_stand_in_order_and_the_sonnets_words_are_marked(open_lab):
    root = open_lab("#ngram.epochs=40&ngram.method=batched&ngram.learning_rate=0.02")
    still(root)
    assert set(bets(root)[:2]) == {"field,", "use,"}
    marked = root.locator(".ce-words li:has-text('◆')").all_text_contents()
    assert len(marked) == 2
    assert all("◆ 1 of 2" in text for text in marked)
    shown = results(root)["next-word-probability"]
    assert len(shown) == 97
    assert sum(shown) == pytest.approx(1)
    first = (
        root.locator(".ce-words").first.locator("output").evaluate_all("all => all.map((o) => Number(o.dataset.value))")
    )
    assert first == sorted(shown, reverse=True)[:8]


def test_another_line_is_drawn_and_the_last_is_followed_by_the_first(open_lab):
    root = open_lab("#ngram.draw=999")
    line = results(root)["line"]
    root.locator('[name="sample"]').click()
    assert results(root)["draw"] == 1
    assert results(root)["line"] != line


def test_words_that_stand_together_are_meant(open_lab):
    root = open_lab()
    box = root.locator('[name="context"]')
    box.fill("THY BEAUTYS")
    box.blur()
    assert box.input_value() == "thy beauty's"
    box.fill("xyz abc")
    box.blur()
    assert box.input_value() == "thy beauty's"
    assert root.locator(".ce-reason").text_content() == "two words of the sonnet"
    assert "two words of the sonnet" in root.locator(".ce-live").text_content()
    box.fill("forty winters")
    assert root.locator(".ce-reason").count() == 0


def test_a_line_that_is_sampled_is_read_out(open_lab):
    root = open_lab()
    root.locator('[name="sample"]').click()
    line = root.locator('output[data-quantity="line"]').text_content()
    assert root.locator(".ce-live").text_content() == f"Line 2: {line}"


def test_a_training_is_announced_when_it_rests(open_lab):
    root = open_lab()
    root.page.emulate_media(reduced_motion="reduce")
    said = "root => { globalThis.said = []; new MutationObserver(() => said.push(root.querySelector('.ce-live').textContent)).observe(root.querySelector('.ce-live'), { childList: true, characterData: true, subtree: true }); }"
    root.evaluate(said)
    root.locator('[name="train"]').click()
    root.page.wait_for_timeout(3500)
    assert epoch(root) > 0
    assert root.evaluate("() => said") == []
    root.locator('[name="pause"]').click()
    root.page.wait_for_function("() => said.length > 0")
    assert root.evaluate("() => said[said.length - 1]") == root.locator(".ce-summary").text_content()
