"""How much of one frame a lab takes, from the reader's input to the painted result: one frame over the 95th percentile.

Every lab of the built site is driven in a real browser, by each of its sliders in turn; labs that can take more classes
take ten. The time runs from the input event to the first task after the frame's painting.
"""

import shutil
from pathlib import Path
from statistics import quantiles

from benchmarks.ratio import Ratio
from playwright.sync_api import sync_playwright

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
FRAME_MILLISECONDS = 16
CLASSES = 10
BROWSERS = ("chromium", "chromium-headless-shell")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Ten classes where a lab can hold them, and eight outcomes, the most of the information lab.
LOGITS = ",".join(str(k / 2 - 2) for k in range(CLASSES))
EIGHTHS = ",".join(["0.125"] * 8)
WIDE = [f"{topic}.logits={LOGITS}" for topic in ("softmax", "gradient", "interfaces", "stability")] + [
    f"information.{name}={EIGHTHS}" for name in "pq"
]
DRIVE = """async (root, inputs) => {
  const painted = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(null);
  });
  const sliders = [...root.querySelectorAll('input[type="range"]')];
  const times = [];
  for (let k = 0; k < inputs; k++) {
    const slider = sliders[k % sliders.length];
    const [low, high] = [Number(slider.min), Number(slider.max)];
    await new Promise(requestAnimationFrame);
    const start = performance.now();
    slider.value = String(low + (high - low) * ((k * 0.618) % 1));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await painted();
    times.push(performance.now() - start);
  }
  return times;
}"""


def measure(repetitions: int = 5, inputs: int = 100) -> list[Ratio]:
    """One ratio for each lab with a slider; the frame holds the work where it is at least 1."""
    pages = [page for page in sorted((SITE / "chapters").glob("*.html")) if 'class="ce-lab"' in page.read_text("utf-8")]
    if not pages:
        raise FileNotFoundError("the site is not built, or holds no lab: run `make book`")
    ratios = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, BROWSERS)), None), args=FLAGS
        )
        for address in pages:
            page = browser.new_page()
            page.goto(f"{address.as_uri()}#{'&'.join(WIDE)}")
            for root in page.locator('.ce-lab[data-ready="true"]').all():
                if not root.locator('input[type="range"]').count():
                    continue
                root.scroll_into_view_if_needed()
                root.evaluate(DRIVE, inputs)  # warms up
                samples = []
                for _ in range(repetitions):
                    slow = quantiles(root.evaluate(DRIVE, inputs), n=20)[-1]
                    samples.append(FRAME_MILLISECONDS / max(slow, 0.1))
                topic = root.get_attribute("data-widget")
                ratios.append(Ratio(f"one frame over the 95th percentile of {topic}", tuple(samples), at_least=1))
            page.close()
        browser.close()
    return ratios
