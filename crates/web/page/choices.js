// Alternatives to a word, in a list next to it.

/** The list; it is open for one word at a time. */
export class Choices {
  #box;
  #onchoice;

  /** `onchoice` receives the chosen alternative. */
  constructor(box, onchoice) {
    this.#box = box;
    this.#onchoice = onchoice;
    box.addEventListener("keydown", (event) => this.#key(event));
  }

  get isOpen() {
    return this.#box.matches(":popover-open");
  }

  close() {
    if (this.isOpen) this.#box.hidePopover();
  }

  /** Shows alternatives to `word` below the box `at`. */
  show(at, word, alternatives) {
    this.#box.replaceChildren();
    const title = document.createElement("p");
    title.textContent = alternatives.length ? `Replace “${word}” with` : "There are no alternatives here.";
    this.#box.append(title);
    for (const alternative of alternatives) {
      const button = document.createElement("button");
      button.type = "button";
      const text = document.createElement("span");
      const spelt = alternative.text.trim();
      text.textContent = spelt || { " ": "space", "\n": "new line" }[alternative.text] || "(part of a character)";
      const share = document.createElement("small");
      const percent = 100 * alternative.probability;
      share.textContent = percent >= 1 ? `${percent.toFixed(0)} %` : `${percent.toPrecision(1)} %`;
      button.append(text, share);
      if (spelt === word) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => {
        this.close();
        this.#onchoice(alternative);
      });
      this.#box.append(button);
    }
    if (!this.isOpen) this.#box.showPopover();
    const { width, height } = this.#box.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
    const below = at.bottom + 6 + height < innerHeight;
    this.#box.style.left = `${left}px`;
    this.#box.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - height - 6)}px`;
    this.#box.querySelector("button")?.focus({ focusVisible: true });
  }

  #key(event) {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const buttons = [...this.#box.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    buttons[(at + move + buttons.length) % buttons.length]?.focus();
  }
}
