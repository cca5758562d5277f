// A page's picture and its text, tied together: point at one, see the other. And a document still on its way.

import { choose } from "./tabs.js";

const parts = [...document.querySelectorAll(".part")];
const rects = [...document.querySelectorAll(".overlay rect")];
const words = (value) => (value ? value.split(" ") : []);

function light(matches) {
  for (const one of [...parts, ...rects]) one.classList.toggle("lit", matches(one.dataset));
}

const same = (mine) => (other) =>
  mine.chunk !== undefined ? words(other.chunks).includes(mine.chunk) : other.part !== undefined && other.part === mine.part;

for (const one of parts) {
  for (const name of ["mouseenter", "focus"]) one.addEventListener(name, () => light((other) => same(one.dataset)(other) || other === one.dataset));
  one.addEventListener("mouseleave", () => light(() => false));
}
for (const one of rects) {
  one.addEventListener("mouseenter", () => light((other) => same(one.dataset)(other) || (other.chunk && words(one.dataset.chunks).includes(other.chunk))));
  one.addEventListener("mouseleave", () => light(() => false));
  one.addEventListener("click", () => {
    const seen = document.querySelector("#chunks:not([hidden])") ? parts.find((part) => part.dataset.chunk && words(one.dataset.chunks).includes(part.dataset.chunk)) : document.getElementById(`part-${one.dataset.part}`);
    seen?.scrollIntoView({ block: "center" });
    seen?.focus({ preventScroll: true });
  });
}

const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (named?.dataset?.chunk !== undefined) {
  choose(document.getElementById("tab-chunks"));
  named.scrollIntoView({ block: "center" });
  named.focus({ preventScroll: true });
}

// A stage that is done has something new to show.
for (const notice of document.querySelectorAll("[data-job]")) {
  const source = new EventSource(`/v1/jobs/${notice.dataset.job}/events?after=${notice.dataset.after}`);
  source.addEventListener("progress", (event) => {
    const { stage, done, total, unit } = JSON.parse(event.data).data;
    notice.querySelector("[data-told]").textContent = `${stage}: ${unit} ${done} of ${total}`;
  });
  for (const kind of ["stage", "finished"]) {
    source.addEventListener(kind, (event) => {
      if (JSON.parse(event.data).data.state !== "running") location.reload();
    });
  }
  addEventListener("pagehide", () => source.close());
}
