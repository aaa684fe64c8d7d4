// A story on the page: its tokens, where the text of each ends, and the text itself in the document. A token has no element of
// its own: at thousands of tokens a second the document would be most of the work.

/** Characters of a text node: so that appending lays out the end of a long story alone. */
const CHUNK = 2000;
const LETTER = /[\p{L}\p{N}\p{M}']/u;

export class Text {
  /** Tokens of the text before the first one here. */
  base = 0;
  /** Tokens of the beginning, which was not made here. */
  prompt = 0;
  tokens = [];
  /** UTF-16 offset at which the text of each token ends. */
  ends = [];
  /** A character of its checksum for each token that is not of the beginning. */
  checks = "";
  /** Words that were given: the number of tokens made before, and the tokens. */
  given = [];
  text = "";

  /** Number of tokens that were made here, given ones too. */
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

  /** Forgets the tokens from `index` on. */
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

  /** Where the text of the token `index` begins. */
  offset(index) {
    return index > 0 ? this.ends[index - 1] : 0;
  }

  /** The token whose text holds the character at `offset`, the first of several that make it up. */
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

  /** The word at `offset` as [begin, end), or the mark of punctuation; nothing where there is space. */
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

  /** The word before or behind the one at `offset`. */
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

  /** Shows a text from its beginning. */
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

  /** Shows what was added, and keeps the end in view for whoever was there. */
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

  /** The node and offset in it of a character. */
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

  /** Marks ranges of characters by the name of a highlight; no ranges take the mark away. */
  mark(name, ...ranges) {
    // Without highlights the page works as well, and shows less.
    if (!("highlights" in CSS)) return;
    const found = ranges.map(([begin, end]) => this.range(begin, end)).filter(Boolean);
    if (found.length) CSS.highlights.set(name, new Highlight(...found));
    else CSS.highlights.delete(name);
  }

  /** The offset of the character at a point of the window. */
  offsetAt(x, y) {
    const found = document.caretPositionFromPoint?.(x, y);
    const range = found ? undefined : document.caretRangeFromPoint?.(x, y);
    const node = found?.offsetNode ?? range?.startContainer;
    const at = found?.offset ?? range?.startOffset;
    let before = 0;
    for (const child of this.#element.childNodes) {
      const own = child.nodeType === Node.TEXT_NODE ? child : child.firstChild;
      if (own === node) {
        // A caret stands between two characters: the one that was hit is on this side or on that.
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
