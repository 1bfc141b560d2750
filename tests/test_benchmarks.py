"""The benchmarks compare like with like, and say so when a promise is missed. No test here looks at a clock."""

import importlib
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module


@pytest.fixture
def run(load, monkeypatch, tmp_path):
    """benchmarks/run.py, which writes into a temporary folder."""
    # It replaces the first entry of the path, as it may when it is started as a script.
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = load("benchmarks.run")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "bench" / "results.json")
    monkeypatch.setattr(module.page, "MEASURED", tmp_path / "measured.json")
    monkeypatch.setattr(module.page, "PAGE", tmp_path / "benchmarks.md")
    return module


def test_all_ways_of_training_reach_the_loss_that_the_ratio_names(load):
    # measure itself refuses to report ways that end at different losses.
    ratios = load("benchmarks.ngram").measure(epochs=4, portions=2)
    assert [len(ratio.samples) for ratio in ratios] == [2, 2]
    assert all(sample > 0 for ratio in ratios for sample in ratio.samples)
    assert ratios[0].at_least == 500


def test_a_way_that_ends_elsewhere_is_not_reported(load, monkeypatch):
    benchmark = load("benchmarks.ngram")
    run = benchmark.Loop.run
    monkeypatch.setattr(benchmark.Loop, "run", lambda self, epochs: run(self, epochs + 1))
    with pytest.raises(AssertionError, match="written out, the loop ends at"):
        benchmark.measure(epochs=4, portions=2)


def test_a_ratio_is_judged_by_its_median(load):
    ratio = load("benchmarks.ratio").Ratio("a against b", (1.0, 700.0, 600.0), at_least=500)
    assert (ratio.median, ratio.holds) == (600.0, True)
    assert str(ratio) == "a against b: 600 times (1 to 700 in 3 repetitions, promised 500)"
    assert not load("benchmarks.ratio").Ratio("a against b", (499.0,), at_least=500).holds


@pytest.mark.parametrize(("sample", "code", "word"), [(600.0, 0, "ok"), (400.0, 1, "MISSED")])
def test_a_missed_promise_is_printed_written_and_fails_the_run(run, load, monkeypatch, capsys, sample, code, word):
    ratio = load("benchmarks.ratio").Ratio("a against b", (sample,), at_least=500)
    monkeypatch.setattr(run.importlib, "import_module", lambda name: SimpleNamespace(measure=lambda: [ratio]))
    assert run.main(["ngram"]) == code
    assert f"{word} " in capsys.readouterr().out
    assert json.loads(run.RESULTS.read_text())["ngram"][0]["median"] == sample
    assert f"| A against b | {sample:.0f} | one run |" in run.page.PAGE.read_text()


def test_the_books_page_of_benchmarks_is_what_was_measured(load):
    page = load("benchmarks.page")
    assert page.PAGE.read_text(encoding="utf8") == page.render(json.loads(page.MEASURED.read_text(encoding="utf8")))


@pytest.mark.parametrize(
    ("median", "at_least", "told"), [(2.0, 1.5, "1.5, kept"), (1.0, 1.5, "1.5, **missed**"), (1.0, 0, "nothing")]
)
def test_the_page_says_which_promise_was_missed(load, median, at_least, told):
    row = {"claim": "a over b", "median": median, "at_least": at_least, "samples": [median]}
    assert f"| one run | {told} |" in load("benchmarks.page").render({"labs": [row]})


def test_measuring_one_topic_keeps_the_others(run, load, monkeypatch):
    for topic, sample in (("labs", 2.0), ("ngram", 3.0)):
        ratio = load("benchmarks.ratio").Ratio(topic, (sample, sample + 1))
        monkeypatch.setattr(
            run.importlib, "import_module", lambda name, ratio=ratio: SimpleNamespace(measure=lambda: [ratio])
        )
        run.main([topic])
    text = run.page.PAGE.read_text()
    assert "| Labs | 2.5 | 2 to 3 |" in text
    assert "| Ngram | 3.5 | 3 to 4 |" in text


def test_the_stock_site_differs_in_what_is_ours_alone(load):
    site = load("benchmarks.site")
    config = site.yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
    stock = site.stock(config)
    assert {**stock, "sphinx": 0} == {**config, "sphinx": 0}
    assert "local_extensions" not in stock["sphinx"]
    assert "katex" not in str(stock["sphinx"])
    assert stock["sphinx"]["config"].items() <= config["sphinx"]["config"].items()


def test_an_unknown_benchmark_is_named(run, capsys):
    assert run.main(["haiku"]) == 2
    assert "no such benchmark: haiku; there are" in capsys.readouterr().err
    assert "ngram" in run.topics()


def test_the_script_runs_as_make_bench_starts_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["benchmarks/run.py", "haiku"])
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ROOT / "benchmarks" / "run.py"), run_name="__main__")
    assert ending.value.code == 2


def test_every_lab_with_a_slider_is_timed_against_one_frame(load):
    ratios = load("benchmarks.labs").measure(repetitions=2, inputs=4)
    assert any("softmax" in ratio.claim for ratio in ratios)
    assert all(ratio.at_least == 1 and len(ratio.samples) == 2 and min(ratio.samples) > 0 for ratio in ratios)


def test_graders_are_compared_by_their_time_a_submission(load, monkeypatch):
    benchmark = load("benchmarks.grading")
    monkeypatch.setattr(benchmark, "nbgrader", lambda place, count: 6.0)
    monkeypatch.setattr(benchmark, "ours", lambda place, count: 0.25)
    (ratio,) = benchmark.measure()
    assert (ratio.samples, ratio.at_least, ratio.holds) == ((24.0,), 10, True)
