// The state as heat maps: one square per head, one row of squares per layer.

const GAP = 2;

/** Colours from -1 to 1: blue, the card's background, orange. */
function colours(dark) {
  const [low, middle, high] = dark
    ? [[88, 166, 240], [29, 32, 39], [245, 158, 66]]
    : [[11, 98, 168], [255, 255, 255], [204, 96, 8]];
  const table = new Uint32Array(256);
  const bytes = new Uint8ClampedArray(table.buffer);
  for (let i = 0; i < 256; i++) {
    const value = (i - 128) / 127;
    // The square root makes small values visible next to large ones.
    const strength = Math.sqrt(Math.abs(value));
    const end = value < 0 ? low : high;
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = middle[c] + (end[c] - middle[c]) * strength;
    bytes[4 * i + 3] = 255;
  }
  return table;
}

const night = matchMedia("(prefers-color-scheme: dark)");
let table = colours(night.matches);

/** Draws a picture of `layers` × `heads` squares of `size` × `size` bytes. */
export function draw(canvas, picture, { layers, heads, headSize: size }) {
  const width = heads * (size + GAP) - GAP;
  const height = layers * (size + GAP) - GAP;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let head = 0; head < layers * heads; head++) {
    const top = Math.floor(head / heads) * (size + GAP);
    const left = (head % heads) * (size + GAP);
    for (let row = 0; row < size; row++) {
      const from = (head * size + row) * size;
      const to = (top + row) * width + left;
      for (let column = 0; column < size; column++) pixels[to + column] = table[picture[from + column]];
    }
  }
  context.putImageData(image, 0, 0);
}

/** Redraws when the theme changes. */
export function whenThemeChanges(again) {
  night.addEventListener("change", () => {
    table = colours(night.matches);
    again();
  });
}
