// A run while it trains: its figures, and its curve a point at a time.

import { getJson } from "./api.js";

const card = document.querySelector("[data-run]");
const chart = document.querySelector("[data-chart]");
const FRAME = { left: 52, right: 704, top: 14, bottom: 264 };

const show = (name, text) => {
  const place = card.querySelector(`[data-show="${name}"]`);
  if (place) place.textContent = text;
};

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function told({ done, total, fields }) {
  const mark = document.querySelector("[data-state]");
  [mark.className, mark.textContent] = ["state running", "Training"];
  const bar = card.querySelector("progress");
  [bar.max, bar.value] = [total, done];
  if (fields.phase === "preparing") return;
  document.querySelector("[data-preparing]")?.remove();
  show("step", `${done} of ${total}`);
  if (fields.loss === undefined) return;
  show("loss", fields.loss.toFixed(2));
  show("learning_rate", fields.learning_rate.toExponential(2));
  if (fields.tokens_per_second !== undefined) show("tokens_per_second", fields.tokens_per_second);
  if (fields.eta_seconds !== undefined) show("eta_seconds", duration(fields.eta_seconds));
  points.set(done, fields.loss);
  draw(total);
}

const points = new Map();

function draw(total) {
  document.querySelector("[data-curve]").hidden = false;
  const highest = 1.05 * Math.max(...points.values());
  const x = (step) => FRAME.left + ((FRAME.right - FRAME.left) * step) / total;
  const y = (loss) => FRAME.bottom - ((FRAME.bottom - FRAME.top) * loss) / highest;
  const line = [...points].sort((one, other) => one[0] - other[0]).map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
  chart.querySelector("polyline").setAttribute("points", line.join(" "));
  const [down, across] = ["down", "across"].map((name) => chart.querySelector(`[data-${name}]`));
  down.replaceChildren(...ticks(highest).flatMap((loss) => [
    drawn("line", { class: "grid-line", x1: FRAME.left, x2: FRAME.right, y1: y(loss), y2: y(loss) }),
    drawn("text", { x: FRAME.left - 8, y: y(loss) + 4, "text-anchor": "end" }, loss),
  ]));
  across.replaceChildren(...ticks(total).map((step) => drawn("text", { x: x(step), y: FRAME.bottom + 20, "text-anchor": "middle" }, step)));
}

// Round numbers from 0 up, about five of them: as the server has them for a run that is over.
function ticks(most) {
  const size = 10 ** Math.floor(Math.log10(most / 5));
  const step = size * [1, 2, 5, 10].find((factor) => size * factor * 5 >= most);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, at) => Number((step * at).toPrecision(6)));
}

function drawn(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

async function watch() {
  for (const point of (await getJson(`/v1/runs/${card.dataset.run}/curve`)).items) points.set(point.step, point.loss);
  const source = new EventSource(`/v1/jobs/${card.dataset.job}/events?after=${card.dataset.after}`);
  source.addEventListener("progress", (event) => {
    const { data } = JSON.parse(event.data);
    if (data.stage === "training") told(data);
  });
  source.addEventListener("finished", () => location.reload());
  addEventListener("pagehide", () => source.close());
}

if (card) watch();
