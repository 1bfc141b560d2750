// @ts-check
/**
 * What a page does by itself. Read at the top of the page, so that the colours are right at the first paint; everything
 * else waits for the document. Without this script a page can be read, searched for and turned all the same.
 */
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const MODES = ["system", "light", "dark"];
  // Opened from a folder, some browsers keep nothing.
  const kept = {
    get: () => {
      try {
        return localStorage.getItem("crossentropy.colours");
      } catch {
        return null;
      }
    },
    set: (/** @type {string} */ mode) => {
      try {
        localStorage.setItem("crossentropy.colours", mode);
      } catch {
        // The choice lasts as long as the page.
      }
    },
  };
  let mode = kept.get() ?? "system";
  if (!MODES.includes(mode)) mode = "system";

  function colour() {
    root.dataset.theme = mode === "system" ? (dark.matches ? "dark" : "light") : mode;
  }
  colour();
  dark.addEventListener("change", colour);

  function startColours() {
    const button = document.querySelector("button[data-colours]");
    if (!button) return;
    const say = () => (button.textContent = `Colours: ${mode}`);
    say();
    button.addEventListener("click", () => {
      mode = MODES[(MODES.indexOf(mode) + 1) % MODES.length];
      kept.set(mode);
      colour();
      say();
    });
  }

  function startSearch() {
    const link = document.querySelector("a[data-search]");
    const dialog = /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog.search"));
    const open = () => {
      const words = /** @type {HTMLInputElement | null} */ (document.querySelector('[role="search"] input[type="search"]'));
      if (dialog && !dialog.open) dialog.showModal();
      words?.focus();
      words?.select();
    };
    link?.addEventListener("click", (event) => {
      event.preventDefault();
      open();
    });
    dialog?.querySelector('button[value="close"]')?.addEventListener("click", () => dialog.close());
    addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      open();
    });
    // Sphinx's search empties nothing that is named by the address.
    const words = /** @type {HTMLInputElement | null} */ (document.querySelector('form.search input[name="q"]'));
    const asked = new URLSearchParams(location.search).get("q");
    if (words && asked) words.value = asked;
  }

  /** What does not fit scrolls, and what scrolls can be reached by the keyboard. */
  function startScrollers() {
    const names = { PRE: "Code or output", TABLE: "Table" };
    const watch = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        const box = /** @type {HTMLElement} */ (target);
        if (box.scrollWidth > box.clientWidth + 1) {
          box.tabIndex = 0;
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", names[box.tagName === "PRE" ? "PRE" : "TABLE"]);
          if (box.matches(".katex-display")) box.setAttribute("aria-label", "Formula");
        } else if (box.hasAttribute("tabindex")) {
          for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        }
      }
    });
    for (const box of document.querySelectorAll("main pre, main .wide, main .katex-display")) watch.observe(box);
  }

  function startSigns() {
    for (const link of document.querySelectorAll("a.headerlink")) {
      const number = link.closest(".eqno")?.firstChild?.textContent;
      link.setAttribute("aria-label", number ? `Link to equation ${number}` : "Link to this section");
    }
  }

  function startCopying() {
    const status = document.createElement("p");
    status.className = "unseen";
    status.setAttribute("role", "status");
    document.body.append(status);
    for (const block of document.querySelectorAll(".cell_input .highlight, article > section .highlight-python .highlight")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.ariaLabel = "Copy this code";
      button.addEventListener("click", async () => {
        const text = block.querySelector("pre")?.textContent ?? "";
        try {
          await navigator.clipboard.writeText(text);
          status.textContent = "Copied.";
        } catch {
          getSelection()?.selectAllChildren(block.querySelector("pre") ?? block);
          status.textContent = "Selected: copy it with your keyboard.";
        }
        button.textContent = status.textContent === "Copied." ? "Copied" : "Selected";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      });
      block.append(button);
    }
  }

  /** Hovering over or focusing a reference shows what it points at: WCAG 1.4.13's dismissible, hoverable, persistent. */
  function startPreviews() {
    const DELAY_MILLISECONDS = 250;
    const box = document.createElement("div");
    box.className = "preview";
    box.id = "preview";
    box.setAttribute("role", "tooltip");
    box.hidden = true;
    document.body.append(box);
    /** @type {HTMLAnchorElement | null} */
    let owner = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let waiting;

    function hide() {
      clearTimeout(waiting);
      owner?.removeAttribute("aria-describedby");
      owner = null;
      box.hidden = true;
    }

    /** @param {HTMLAnchorElement} link @returns {Promise<string | undefined>} */
    function contents(link) {
      const page = link.pathname.match(/([^/]+)\.html$/)?.[1] ?? "";
      const all = /** @type {any} */ (window);
      const find = () => all.cePreviews?.[page]?.[decodeURIComponent(link.hash.slice(1))];
      if (all.cePreviews?.[page]) return Promise.resolve(find());
      return new Promise((done) => {
        const script = document.createElement("script");
        script.src = `${root.dataset.content_root}_static/previews/${page}.js`;
        script.onload = () => done(find());
        script.onerror = () => done(undefined);
        document.head.append(script);
      });
    }

    /** @param {HTMLAnchorElement} link */
    async function show(link) {
      if (owner === link) return;
      hide();
      owner = link;
      const html = await contents(link);
      if (owner !== link || !html) return;
      box.innerHTML = html;
      box.hidden = false;
      link.setAttribute("aria-describedby", "preview");
      const at = link.getBoundingClientRect();
      const wide = document.documentElement.clientWidth;
      const left = Math.max(8, Math.min(at.left, wide - box.offsetWidth - 8));
      const below = at.bottom + box.offsetHeight < innerHeight || at.top < box.offsetHeight;
      box.style.left = `${left + scrollX}px`;
      box.style.top = `${(below ? at.bottom : at.top - box.offsetHeight) + scrollY}px`;
    }

    const referenced = (/** @type {EventTarget | null} */ target) =>
      /** @type {HTMLAnchorElement | null} */ (
        target instanceof Element ? target.closest("main a.reference.internal[href*='#']") : null
      );
    document.addEventListener("pointerover", (event) => {
      if (event.pointerType !== "mouse") return;
      const link = referenced(event.target);
      const inside = event.target instanceof Node && box.contains(event.target);
      clearTimeout(waiting);
      if (link && link !== owner) waiting = setTimeout(() => show(link), DELAY_MILLISECONDS);
      else if (!link && !inside && owner && document.activeElement !== owner) waiting = setTimeout(hide, DELAY_MILLISECONDS);
    });
    document.addEventListener("focusin", (event) => {
      const link = referenced(event.target);
      // A click goes there; it need not show it first.
      if (link?.matches(":focus-visible")) show(link);
      else if (owner) hide();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && owner) hide();
    });
    addEventListener("hashchange", hide);
  }

  function startPrinting() {
    /** @type {HTMLDetailsElement[]} */
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details")].filter((details) => !details.open);
      for (const details of opened) details.open = true;
    });
    addEventListener("afterprint", () => {
      for (const details of opened) details.open = false;
    });
  }

  addEventListener("DOMContentLoaded", () => {
    startColours();
    startSearch();
    startScrollers();
    startSigns();
    startCopying();
    startPreviews();
    startPrinting();
  });
})();
