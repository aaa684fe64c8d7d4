// Sentences and numbers on the page.

/** The element with this id. */
export const element = (id) => document.getElementById(id);

/** A number with its thousands apart; of a small one, what it takes. */
export const thousands = (value) => Math.round(value).toLocaleString("en");

/** A sentence for whoever listens: short, and read when there is time. */
export function tell(sentence) {
  element("status").textContent = sentence;
}

/** A sentence that something went wrong; none takes it away. */
export function warn(sentence = "") {
  say(sentence, false);
}

/** A sentence that stays until the next action. */
export function say(sentence, isGood) {
  const notice = element("notice");
  notice.textContent = sentence;
  notice.classList.toggle("good", isGood);
  notice.hidden = !sentence;
  if (sentence && !isGood) tell("");
}

/** The number in a field, within its limits; an error with a sentence otherwise. */
export function setting(id, title) {
  const field = element(id);
  const value = field.valueAsNumber;
  if (!field.checkValidity() && !field.validity.stepMismatch || Number.isNaN(value)) {
    field.focus();
    throw new Error(`${title} is a number from ${field.min} to ${field.max}.`);
  }
  return value;
}

/** The whole number of 64 bits in a field. */
export function integer(id, sentence) {
  const field = element(id);
  if (!/^\d{1,20}$/.test(field.value) || BigInt(field.value) >= 1n << 64n) {
    field.focus();
    throw new Error(sentence);
  }
  return BigInt(field.value);
}
