const byId = (id) => document.getElementById(id);
let going = null;

async function generate(prompt, maxTokens, seed, key, signal, show) {
  const headers = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  const body = { prompt, max_tokens: maxTokens, stream: true };
  if (seed !== "") body.seed = Number(seed);
  const response = await fetch("v1/completions", { method: "POST", headers, body: JSON.stringify(body), signal });
  if (!response.ok) throw new Error((await response.json()).error.message);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "", last = null;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return last;
    const events = (held + value).split("\n\n");
    held = events.pop();
    for (const event of events) {
      const data = event.startsWith("data: ") ? event.slice(6) : "[DONE]";
      if (data === "[DONE]") continue;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Error(chunk.error.message);
      show(chunk.choices[0].text);
      last = chunk.choices[0].bitstate ?? last;
    }
  }
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  going?.abort();
  const own = new AbortController();
  going = own;
  byId("story").textContent = byId("prompt").value;
  byId("stop").disabled = false;
  byId("status").textContent = "Writing";
  const show = (text) => byId("story").append(text);
  try {
    const proof = await generate(byId("prompt").value, Number(byId("tokens").value), byId("seed").value, byId("key").value,
      own.signal, show);
    byId("status").textContent = `Finished: ${proof.tokens} tokens, seed ${proof.recipe.seed}, checksum ${proof.digest}`;
  } catch (error) {
    if (going === own) byId("status").textContent = own.signal.aborted ? "Stopped" : String(error.message);
  } finally {
    if (going === own) byId("stop").disabled = true;
  }
});
byId("stop").addEventListener("click", () => going?.abort());
