"""Every built page in a real browser: nothing foreign, no complaint, accessible in both themes, light, and usable by everybody.

One visit serves many assertions: a page is opened once over http and once from its folder.
"""

import gzip
import itertools
import re
from urllib.parse import urlsplit

import pytest
from visitor import ROOT, SITE

from notebooks import Book

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
# The site's own index.html only leads to the first page.
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in [*SITE.glob("*.html"), *SITE.glob("chapters/*.html")]
    if path != SITE / "index.html"
)
CHAPTERS = [f"chapters/{page.name}.html" for page in Book().notebooks if page.number]
FIRST_BYTES, NEXT_BYTES = 250_000, 40_000
NARROW = 320  # 1,280 pixels at 400 %

CHECK = """async rules => {
  const options = { resultTypes: ["violations"] };
  if (rules) options.runOnly = rules;
  else options.runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await axe.run(options);
  return found.violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]);
}"""
STRUCTURE = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("alt");
  return {
    levels: all("h1, h2, h3, h4, h5, h6").map((h) => Number(h.tagName[1])),
    language: document.documentElement.lang,
    title: document.title,
    description: document.querySelector('meta[name="description"]')?.content ?? "",
    policy: document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.content ?? "",
    mains: all("main").length,
    unnamed: all("main img, main svg[role=img]").filter((e) => !named(e)).length,
    figures: all(".ce-figure").filter((e) => !e.querySelector("svg[role=img][aria-label]")).length,
    tables: all("article table:not(.ce-lab table)").filter((t) => !t.querySelector("thead th[scope=col]")).length,
    maths: all(".katex").filter((e) => !e.querySelector("math") || !e.querySelector('.katex-html[aria-hidden="true"]')).length,
    twice: all("[id]").map((e) => e.id).filter((id, k, ids) => ids.indexOf(id) !== k),
  };
}"""
OVERFLOW = """() => ({
  page: document.documentElement.scrollWidth,
  unreachable: [...document.querySelectorAll("main pre, main .wide, main .katex-display")]
    .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && e.tabIndex !== 0).length,
})"""
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifts.push(entry.value);
}).observe({ type: "layout-shift", buffered: true });
"""
FEWER = """() => {
  [...document.querySelectorAll(".katex")].slice(5).forEach((formula) => formula.replaceWith("x"));
  for (const part of document.querySelectorAll(".ce-figure svg > *")) part.remove();
}"""
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


def settle(page):
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.evaluate(PAINTED)


@pytest.mark.parametrize("path", PAGES)
def test_page_is_complete_accessible_and_fits(path, visitor, origins):
    page = visitor.open(f"{origins['http']}/{path}")
    settle(page)
    found = page.evaluate(STRUCTURE)
    levels = found["levels"]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert found["language"] == "en"
    assert found["title"]
    assert 20 <= len(found["description"]) <= 200
    assert found["mains"] == 1
    assert found["twice"] == []
    assert [found[kind] for kind in ("unnamed", "figures", "tables", "maths")] == [0, 0, 0, 0]
    scripts = re.search(r"script-src ([^;]*)", found["policy"] + "; script-src 'none'")[1]
    assert "unsafe" not in scripts
    assert "http" not in found["policy"]
    assert "default-src 'none'" in found["policy"]
    page.set_viewport_size({"width": NARROW, "height": 800})
    page.evaluate(PAINTED)
    assert page.evaluate(OVERFLOW) == {"page": NARROW, "unreachable": 0}
    page.set_viewport_size({"width": 1200, "height": 900})
    # Formulas are alike, and axe would walk through each: a few stand for all. It does not look into figures.
    page.evaluate(FEWER)
    page.evaluate(AXE)
    assert page.evaluate(CHECK, None) == []
    page.emulate_media(color_scheme="dark")
    page.evaluate(PAINTED)
    if page.locator("html[data-theme]").count():
        assert page.locator('html[data-theme="dark"]').count() == 1
    assert page.evaluate(CHECK, ["color-contrast"]) == []


@pytest.mark.parametrize("path", PAGES)
def test_page_works_from_a_folder_and_stays_where_it_is(path, visitor, origins):
    html = (SITE / path).read_text(encoding="utf8")
    # Where the page has a lab, the reader arrives at it: what starts late would push aside what is seen.
    before_lab, lab, _ = html.partition('class="ce-lab"')
    place = "#" + re.findall(r'<section id="([^"]+)"', before_lab)[-1] if lab else ""
    page = visitor.open(f"{origins['file']}/{path}{place}", before=SHIFTS)
    settle(page)
    if lab:
        assert page.locator(".ce-lab:not([data-ready=true])").count() == 0
    # Without a lab there is only the fonts' arrival, within what counts as good.
    assert sum(page.evaluate("window.shifts")) < (0.001 if lab else 0.1)


def transferred(url, kept):
    """Bytes of a response as a server sends it; what the reader has kept counts nothing."""
    path = SITE / urlsplit(url).path.lstrip("/")
    if path.suffix not in {".html", ".css", ".js", ".woff2"} or path in kept:
        return 0
    kept.add(path)
    content = path.read_bytes()
    if path.suffix == ".html":
        content = re.sub(rb'<div class="ce-figure">.*?</div>', b"", content, flags=re.DOTALL)
        kept.discard(path)
    return len(content) if path.suffix == ".woff2" else len(gzip.compress(content, 6))


def test_first_page_is_light_and_the_next_one_lighter(visitor, origins):
    requested = {}
    for path in CHAPTERS:
        page = visitor.open("about:blank")
        urls = requested[path] = []
        page.on("request", lambda request, urls=urls: urls.append(request.url))
        page.goto(f"{origins['http']}/{path}")
        settle(page)
        assert any("labs.js" in url for url in urls)
    first = {path: sum(transferred(url, kept) for url in urls) for path, urls in requested.items() for kept in [set()]}
    assert {path: size for path, size in first.items() if size >= FIRST_BYTES} == {}
    following = {}
    for before, path in itertools.pairwise(CHAPTERS):
        kept = set()
        for url in requested[before]:
            transferred(url, kept)
        following[path] = sum(transferred(url, kept) for url in requested[path])
    assert {path: size for path, size in following.items() if size >= NEXT_BYTES} == {}


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_the_sites_root_leads_to_the_first_page(scheme, visitor, origins):
    page = visitor.open(f"{origins[scheme]}/index.html")
    page.wait_for_url(re.compile(r"/chapters/index\.html$"))


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_search_finds_a_word_by_keyboard(scheme, visitor, origins):
    page = visitor.open(f"{origins[scheme]}/chapters/softmax.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("perplexity")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/search\.html\?q=perplexity$"))
    hit = page.locator("#search-results a", has_text="Information").first
    hit.wait_for()
    assert page.locator('input[name="q"]').input_value() == "perplexity"
    hit.click()
    page.wait_for_url(re.compile(r"/information\.html"))


def test_dialog_closes_by_escape_and_gives_the_focus_back(visitor, origins):
    page = visitor.open(f"{origins['http']}/chapters/softmax.html")
    page.locator("a[data-search]").focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog.search").get_attribute("open") is not None
    page.keyboard.press("Escape")
    assert page.locator("dialog.search").get_attribute("open") is None
    assert page.locator("a[data-search]").evaluate("link => link === document.activeElement")


def test_everything_in_the_frame_is_reached_and_seen_by_keyboard(visitor, origins):
    page = visitor.open(f"{origins['http']}/chapters/softmax.html")
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => {
                  const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
                  return [e.textContent.trim(), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                    box.top >= 0 && box.left >= 0 && box.width > 0];
                }"""
            )
        )
    assert seen[0][0] == "Skip to the text"
    assert all(outlined and visible for _, outlined, visible in seen)
    assert {"Cross-Entropy Loss", "Search Ctrl K", "Colours: system"} <= {text for text, _, _ in seen}
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main-content"


def test_contents_open_and_close_by_keyboard_on_a_narrow_page_even_without_script(visitor, origins):
    page = visitor.open(f"{origins['file']}/chapters/softmax.html", width=360, scripts=False)
    contents = page.locator("#contents")
    assert not contents.is_visible()
    page.get_by_role("button", name="Contents").focus()
    page.keyboard.press("Enter")
    contents.wait_for(state="visible")
    assert contents.locator('[aria-current="page"]').is_visible()
    page.keyboard.press("Escape")
    contents.wait_for(state="hidden")
    # What a lab shows without script.
    assert page.locator(".ce-start").first.is_visible()


def test_the_readers_colours_win_and_last(visitor, origins):
    page = visitor.open(f"{origins['http']}/chapters/index.html", theme="dark")
    button = page.locator("button[data-colours]")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    button.click()
    assert button.text_content() == "Colours: light"
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light
    button.click()
    button.click()
    assert button.text_content() == "Colours: system"
    assert page.evaluate(ground) == dark
    # Without script the system decides.
    page = visitor.open(f"{origins['http']}/chapters/index.html", theme="dark", scripts=False)
    page.wait_for_load_state("load")
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_reference_shows_what_it_points_at(scheme, visitor, origins):
    page = visitor.open(f"{origins[scheme]}/chapters/takeaways.html")
    shown = page.locator("#preview")
    link = page.locator('main a[href*="#prop-shift"]').first
    # By keyboard: it comes with the focus, goes with Escape, and the focus stays.
    page.locator("h1").first.evaluate("h => { h.tabIndex = -1; h.focus() }")
    for _ in range(40):
        page.keyboard.press("Tab")
        if link.evaluate("link => link === document.activeElement"):
            break
    shown.wait_for(state="visible")
    assert "Proposition 1.2" in shown.inner_text()
    assert shown.locator("math").count()
    assert shown.locator("a, [id]").count() == 0
    assert link.get_attribute("aria-describedby") == "preview"
    page.keyboard.press("Escape")
    shown.wait_for(state="hidden")
    assert link.evaluate("link => link === document.activeElement")
    link.evaluate("link => link.blur()")
    # By pointer: it stays while the pointer is on it.
    link.hover()
    shown.wait_for(state="visible")
    box = shown.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1200
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=4)
    page.wait_for_timeout(400)
    assert shown.is_visible()
    page.mouse.move(1190, 5)
    shown.wait_for(state="hidden")
    # Equations and words of the glossary as well.
    for href in ("#equation-", "glossary.html#term-"):
        page = visitor.open(f"{origins[scheme]}/chapters/softmax.html")
        page.locator(f'main a.reference[href*="{href}"]').first.hover()
        page.locator("#preview").wait_for(state="visible")


def test_on_paper_there_is_text_and_nothing_to_press(visitor, origins):
    page = visitor.open(f"{origins['file']}/chapters/softmax.html")
    page.locator('.ce-lab[data-ready="true"]').first.wait_for()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    pressed = page.locator("button, .top, .contents, .turn, .ce-panel, input")
    assert [element for element in pressed.all() if element.is_visible()] == []
    assert page.locator(".ce-start").first.is_visible()
    assert page.locator("article h1").is_visible()
    assert page.locator("details:not([open])").count() == 0
