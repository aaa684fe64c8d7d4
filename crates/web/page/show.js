// Messages and numbers on the page.

/** The element with this id. */
export const element = (id) => document.getElementById(id);

/** A rounded number with thousands separators. */
export const thousands = (value) => Math.round(value).toLocaleString("en");

/** A short status message; screen readers read it when they are idle. */
export function showStatus(sentence) {
  element("status").textContent = sentence;
}

/** Shows an error; an empty one removes it. */
export function warn(sentence = "") {
  say(sentence, false);
}

/** Shows a notice that stays until the next action. */
export function say(sentence, isGood) {
  const notice = element("notice");
  notice.textContent = sentence;
  notice.classList.toggle("good", isGood);
  notice.hidden = !sentence;
  if (sentence && !isGood) showStatus("");
}

/** The number in a field; throws if it is out of range. */
export function setting(id, title) {
  const field = element(id);
  const value = field.valueAsNumber;
  if (!field.checkValidity() && !field.validity.stepMismatch || Number.isNaN(value)) {
    field.focus();
    throw new Error(`${title} must be a number from ${field.min} to ${field.max}.`);
  }
  return value;
}

/** The 64-bit whole number in a field; throws `sentence` if it is not one. */
export function integer(id, sentence) {
  const field = element(id);
  if (!/^\d{1,20}$/.test(field.value) || BigInt(field.value) >= 1n << 64n) {
    field.focus();
    throw new Error(sentence);
  }
  return BigInt(field.value);
}
