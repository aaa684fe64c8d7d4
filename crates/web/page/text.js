// A story on the page: its tokens, where the text of each ends, and the text in the document. Tokens have no elements of their
// own: at thousands of tokens per second, the document would take most of the time.

/** Characters per text node: small, so that appending only lays out the end of a long story. */
const CHUNK = 2000;
const LETTER = /[\p{L}\p{N}\p{M}']/u;

export class Text {
  /** Number of tokens before the first one here. */
  base = 0;
  /** Number of prompt tokens. */
  prompt = 0;
  tokens = [];
  /** UTF-16 offset at which the text of each token ends. */
  ends = [];
  /** One character of the checksum for each token after the prompt. */
  checks = "";
  /** Words chosen by the visitor: the number of tokens generated before, and the tokens. */
  given = [];
  text = "";

  /** Number of tokens after the prompt, including chosen ones. */
  get made() {
    return this.tokens.length - this.prompt;
  }

  add({ text, tokens, lengths, checks }, isPrompt = false) {
    let end = this.text.length;
    for (let i = 0; i < tokens.length; i++) {
      end += lengths[i];
      this.tokens.push(tokens[i]);
      this.ends.push(end);
    }
    this.text += text;
    if (isPrompt) this.prompt = this.tokens.length;
    else this.checks += checks;
  }

  /** Removes the tokens from `index` on. */
  cut(index) {
    this.tokens.length = index;
    this.ends.length = index;
    this.text = this.text.slice(0, this.offset(index));
    this.checks = this.checks.slice(0, Math.max(0, index - this.prompt));
    this.given = this.given.filter(({ at }) => at < this.made);
  }

  copy() {
    const copy = Object.assign(new Text(), this);
    copy.tokens = [...this.tokens];
    copy.ends = [...this.ends];
    copy.given = [...this.given];
    return copy;
  }

  /** Offset at which the text of token `index` begins. */
  offset(index) {
    return index > 0 ? this.ends[index - 1] : 0;
  }

  /** The token whose text contains the character at `offset`; the first one if several form it. */
  tokenAt(offset) {
    let low = 0;
    let high = this.ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle] > offset) high = middle;
      else low = middle + 1;
    }
    while (low > this.prompt && this.offset(low) === this.offset(low - 1)) low--;
    return low;
  }

  /** The word or punctuation mark at `offset` as [begin, end); undefined for white space. */
  wordAt(offset) {
    const { text } = this;
    if (offset < 0 || offset >= text.length || /\s/.test(text[offset])) return undefined;
    let begin = offset;
    let end = offset + 1;
    if (LETTER.test(text[offset])) {
      while (begin > 0 && LETTER.test(text[begin - 1])) begin--;
      while (end < text.length && LETTER.test(text[end])) end++;
    }
    return [begin, end];
  }

  /** The word before or after the one at `offset`. */
  nextWord(offset, back) {
    const here = this.wordAt(offset);
    let at = here ? (back ? here[0] - 1 : here[1]) : offset + (back ? -1 : 1);
    while (at >= 0 && at < this.text.length && !this.wordAt(at)) at += back ? -1 : 1;
    return this.wordAt(at);
  }
}

/** The element that shows a text. */
export class View {
  #element;
  #shown = 0;
  #beginning = 0;

  constructor(element) {
    this.#element = element;
  }

  /** Shows a text from the start. */
  show(text) {
    this.#element.replaceChildren();
    this.#shown = 0;
    const beginning = text.text.slice(0, text.offset(text.prompt));
    this.#beginning = beginning.length;
    if (beginning) {
      const bold = document.createElement("b");
      bold.textContent = beginning;
      this.#element.append(bold);
    }
    this.#shown = beginning.length;
    this.update(text);
    this.mark("later");
  }

  /** Shows what was added, and follows the end if it was in view. */
  update(text) {
    const element = this.#element;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    let rest = text.text.slice(this.#shown);
    this.#shown = text.text.length;
    while (rest) {
      let last = element.lastChild;
      if (last?.nodeType !== Node.TEXT_NODE || last.length >= CHUNK) {
        last = document.createTextNode("");
        element.append(last);
      }
      const some = rest.slice(0, Math.max(1, CHUNK - last.length));
      last.appendData(some);
      rest = rest.slice(some.length);
    }
    if (atEnd) element.scrollTop = element.scrollHeight;
  }

  /** The node of a character, and the offset in it. */
  #place(offset) {
    let before = 0;
    for (const child of this.#element.childNodes) {
      const node = child.nodeType === Node.TEXT_NODE ? child : child.firstChild;
      if (offset <= before + node.length) return [node, offset - before];
      before += node.length;
    }
    return undefined;
  }

  range(begin, end) {
    const from = this.#place(begin);
    const to = this.#place(end);
    if (!from || !to) return undefined;
    const range = new Range();
    range.setStart(...from);
    range.setEnd(...to);
    return range;
  }

  /** Highlights ranges of characters; without ranges, removes the highlight. */
  mark(name, ...ranges) {
    // The page also works without highlights.
    if (!("highlights" in CSS)) return;
    const found = ranges.map(([begin, end]) => this.range(begin, end)).filter(Boolean);
    if (found.length) CSS.highlights.set(name, new Highlight(...found));
    else CSS.highlights.delete(name);
  }

  /** Offset of the character at a point of the window. */
  offsetAt(x, y) {
    const found = document.caretPositionFromPoint?.(x, y);
    const range = found ? undefined : document.caretRangeFromPoint?.(x, y);
    const node = found?.offsetNode ?? range?.startContainer;
    const at = found?.offset ?? range?.startOffset;
    let before = 0;
    for (const child of this.#element.childNodes) {
      const own = child.nodeType === Node.TEXT_NODE ? child : child.firstChild;
      if (own === node) {
        // A caret is between two characters: the point may be on either one.
        const offset = before + at;
        const box = this.range(Math.max(0, offset - 1), offset)?.getBoundingClientRect();
        const onLeft = offset > 0 && box && x >= box.left && x < box.right && y >= box.top && y <= box.bottom;
        return onLeft ? offset - 1 : offset;
      }
      before += own.length;
    }
    return undefined;
  }
}
