// A question to the tuned model and its base at once, each answer as it comes; then the chunks nearest to the tuned one's.

import { ask, element, getJson, postJson } from "./api.js";

const form = document.querySelector("[data-ask]");
const question = document.querySelector("#question");
const stop = document.querySelector("[data-stop]");
const send = document.querySelector("[data-send]");
const sides = [...document.querySelectorAll("[data-side]")];
const evidence = document.querySelector("[data-evidence]");
let leaving = new AbortController();
let asked = { prompt: "", mode: "chat", evidence: [] };

function request(side) {
  const chat = form.elements.mode.value === "chat";
  const body = {
    model: form.dataset[side.dataset.side], stream: true,
    max_tokens: Math.max(1, Number.parseInt(document.querySelector("#tokens").value, 10) || 128),
    temperature: Math.max(0, Number.parseFloat(document.querySelector("#temperature").value) || 0),
    stream_options: { include_usage: true },
    ...(chat ? { messages: [{ role: "user", content: question.value }] } : { prompt: question.value }),
  };
  return [chat ? "/v1/chat/completions" : "/v1/completions", { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal: leaving.signal }];
}

async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: {")) yield JSON.parse(line.slice(6));
  }
}

async function answer(side) {
  const place = side.querySelector("[data-answer]"), pace = side.querySelector("[data-pace]");
  [place.textContent, pace.textContent] = ["", "…"];
  side.setAttribute("aria-busy", "true");
  let tokens = 0, counted = 0, first = 0;
  try {
    const response = await ask(...request(side));
    tellVersion(side, response.headers.get("X-Lectern-Model"));
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      counted = event.usage?.completion_tokens ?? counted;
      const text = event.choices?.[0]?.delta?.content ?? event.choices?.[0]?.text ?? "";
      if (!text) continue;
      first ||= performance.now();
      tokens += 1;
      place.append(text);
      pace.textContent = told(counted || tokens, first);
    }
    pace.textContent = told(counted || tokens, first);
  } catch (error) {
    pace.textContent = error.name === "AbortError" ? "Stopped." : error.message;
  } finally {
    side.removeAttribute("aria-busy");
  }
  return place.textContent;
}

// Where a deployment has a canary, another model than its own may have answered: said, and what is said of it is said of that.
function tellVersion(side, version) {
  side.dataset.version = version ?? "";
  if (version && side.dataset.side === "tuned" && form.dataset.model) side.querySelector("[data-version]").textContent = version;
}

const tuned = () => document.querySelector('[data-side="tuned"]').dataset.version || form.dataset.model;

function told(tokens, first) {
  const seconds = (performance.now() - first) / 1000;
  return tokens < 2 || seconds < 0.05 ? `${tokens} tokens` : `${tokens} tokens, ${(tokens / seconds).toFixed(1)} tokens a second`;
}

const AGAIN_MS = 2000;

// A large dataset is indexed when it is first asked about: said, and asked again.
async function nearest(text) {
  const path = `/v1/tuned-models/${tuned()}/evidence?limit=5&text=${encodeURIComponent(text.slice(0, 4000))}`;
  for (let left = 60; ; left -= 1) {
    try {
      return (await getJson(path)).items;
    } catch (error) {
      if (error.code !== "not-ready" || left === 0 || leaving.signal.aborted) throw error;
      tellEvidence(error.message);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

function tellEvidence(told) {
  evidence.querySelector("[data-found]").replaceChildren(element("li", { class: "none" }, told));
  evidence.hidden = false;
}

async function near(text) {
  if (!evidence || !text.trim()) return;
  const items = await nearest(text);
  const found = items.map((one) => {
    const href = `/shelf/${form.dataset.collection}/documents/${one.document}?page=${one.pages[0] ?? 1}#${encodeURIComponent(one.chunk)}`;
    return element("li", {}, element("a", { href }, `${one.filename}, page ${one.pages.join(", ")}`), " ", element("small", {}, `score ${one.score.toFixed(1)}`), element("p", { class: "reading clamp" }, one.text));
  });
  asked.evidence = [...new Set(items.map((one) => one.document))];
  evidence.querySelector("[data-found]").replaceChildren(...(found.length ? found : [element("li", { class: "none" }, "No training chunk shares a telling word with it.")]));
  evidence.hidden = false;
}

// What is said of an answer goes with the question as it was asked, and with the documents that were shown beside it.
function judged(side) {
  const box = side.querySelector("[data-judge]");
  if (!box) return;
  const thumbs = [...box.querySelectorAll("[data-rate]")], said = box.querySelector("[data-judged]"), better = box.querySelector("textarea");
  const rating = () => thumbs.find((one) => one.getAttribute("aria-pressed") === "true")?.dataset.rate ?? "none";
  async function tell(told) {
    const body = { ...asked, model: form.dataset[side.dataset.side], answer: side.querySelector("[data-answer]").textContent.trim(), rating: rating(), correction: better.value.trim() };
    if (side.dataset.side === "tuned" && form.dataset.model) body.model = tuned();
    try {
      await postJson("/v1/feedback", body);
      said.textContent = told;
    } catch (error) {
      said.textContent = error.message;
    }
  }
  for (const thumb of thumbs) {
    thumb.addEventListener("click", () => {
      const pressed = thumb.getAttribute("aria-pressed") !== "true";
      for (const one of thumbs) one.setAttribute("aria-pressed", String(one === thumb && pressed));
      tell(pressed ? "Noted." : "Taken back.");
    });
  }
  box.querySelector("[data-correct]").addEventListener("click", () => tell(better.value.trim() ? "Correction kept." : "Correction taken back."));
}

// A new answer is not yet judged.
function unjudged(hidden) {
  for (const box of document.querySelectorAll("[data-judge]")) {
    box.hidden = hidden || !box.closest("[data-side]").querySelector("[data-answer]").textContent.trim();
    if (!hidden) continue;
    for (const thumb of box.querySelectorAll("[data-rate]")) thumb.setAttribute("aria-pressed", "false");
    [box.querySelector("textarea").value, box.querySelector("[data-judged]").textContent] = ["", ""];
  }
}

for (const side of sides) judged(side);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  asked = { prompt: question.value, mode: form.elements.mode.value, evidence: [] };
  unjudged(true);
  leaving = new AbortController();
  [send.disabled, stop.hidden] = [true, false];
  const answers = await Promise.all(sides.map(answer));
  [send.disabled, stop.hidden] = [false, true];
  await near(answers.at(-1)).catch((error) => tellEvidence(error.message));
  unjudged(false);
});
// What is being deployed is watched until it takes questions; what was written meanwhile stays.
async function untilReady(notice) {
  for (let state = ""; state !== "ready"; ) {
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    const found = await getJson(`/v1/deployments/${notice.dataset.waiting}`).catch(() => null);
    if (!found) continue;
    state = found.state;
    notice.querySelector("[data-told]").textContent = `${found.name} is ${state}${found.detail ? `: ${found.detail}` : ""}`;
    notice.classList.toggle("bad", state === "failed");
  }
  document.querySelector("#deployment option:checked").textContent = `${notice.dataset.waiting} (ready)`;
  notice.className = "notice good";
  notice.textContent = `${notice.dataset.waiting} is ready: ask it.`;
}

const waiting = document.querySelector("[data-waiting]");
if (waiting) untilReady(waiting);

stop.addEventListener("click", () => leaving.abort());
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
