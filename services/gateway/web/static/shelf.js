// The shelf as it changes: files on their way in, and documents on their way through the stages.

import { element, refresh, soon, upload } from "./api.js";

const AT_ONCE = 3;
const MOST_FILES = 5000;
const STAGES = { extraction: "Extracting", cleaning: "Cleaning", chunking: "Chunking", screening: "Screening" };
const ENDS = { done: "Done", failed: "Refused", dead: "Given up", cancelled: "Called off" };

const table = document.querySelector("table[data-live]");
const list = document.querySelector("[data-uploads]");
const drop = document.querySelector("[data-drop]");

// ---- documents on their way

const counted = soon(refresh);
const rowOf = (job) => table?.querySelector(`tr[data-job="${CSS.escape(job)}"]`);

function show(row, state, told, progress, why) {
  const mark = row.querySelector("[data-state]");
  mark.className = `state ${state}`;
  mark.textContent = told;
  const bar = row.querySelector("progress");
  bar.hidden = !progress;
  if (progress) [bar.max, bar.value] = [progress.total, progress.done];
  row.querySelector("[data-why]").textContent = why ?? "";
}

function told(event) {
  const row = rowOf(event.job);
  if (!row) return;
  const { kind, data } = event;
  const doing = STAGES[data.stage] ?? data.stage;
  if (kind === "queued") show(row, "queued", "Waiting for a worker");
  else if (kind === "stage" && data.state === "running") show(row, "running", doing);
  else if (kind === "progress") show(row, "running", `${doing} ${data.unit} ${Math.min(data.done + 1, data.total)} of ${data.total}`, data);
  else if (kind === "retry") show(row, "waiting", "Will be tried again", null, data.detail);
  else if (kind === "finished") counted(show(row, data.state, ENDS[data.state] ?? data.state, null, data.detail));
}

function watch() {
  const source = new EventSource(table.dataset.live);
  for (const kind of ["queued", "stage", "progress", "retry", "finished"]) source.addEventListener(kind, (event) => told(JSON.parse(event.data)));
  addEventListener("pagehide", () => source.close());
}

function addRow(document_, collection) {
  table.querySelector(".none")?.closest("tr").remove();
  const name = element("a", { href: `/shelf/${collection}/documents/${document_.id}` }, document_.filename);
  const row = element(
    "tr", { "data-job": document_.job },
    element("td", { class: "name" }, name),
    element("td", { class: "doing" }, element("span", { "data-state": true }), " ", element("progress", { "aria-label": `Progress of ${document_.filename}` }), element("span", { class: "why", "data-why": true })),
    element("td", { class: "right" }, size(document_.size_bytes)), element("td", { class: "wide" }, "now"),
  );
  show(row, document_.state, document_.state === "queued" ? "Waiting for a worker" : (ENDS[document_.state] ?? STAGES[document_.stage] ?? document_.stage), null, document_.detail);
  const standing = rowOf(document_.job);
  if (standing) standing.replaceWith(row);
  else table.tBodies[0].prepend(row);
}

const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`);

// ---- files on their way in

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesOf(one)));
    if (found.length > MOST_FILES) return found;
  }
}

async function send(files) {
  const collection = drop.dataset.collection || document.querySelector("#upload-to").value.trim();
  const wanted = files.filter((file) => /\.pdf$/i.test(file.name) || file.type === "application/pdf").slice(0, MOST_FILES);
  list.hidden = false;
  if (!wanted.length) list.prepend(element("li", {}, "None of these is a PDF."));
  let refused = 0;
  const waiting = wanted.map((file) => [file, line(file)]);
  const one = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) if (!(await sendOne(collection, ...next))) refused += 1;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  if (table || wanted.length === refused) return;
  const shelf = `/shelf/${encodeURIComponent(collection)}`;
  if (refused) list.prepend(element("li", {}, element("a", { class: "button primary", href: shelf }, `See the ${wanted.length - refused} that were taken`)));
  else location.assign(shelf);
}

function line(file) {
  const parts = { mark: element("span", { class: "state" }, "Waiting"), bar: element("progress", { max: file.size, value: 0, "aria-label": `Upload of ${file.name}` }), why: element("span", { class: "why" }) };
  parts.item = element("li", {}, element("b", {}, file.name), " ", parts.mark, parts.bar, parts.why);
  list.append(parts.item);
  return parts;
}

async function sendOne(collection, file, parts) {
  const path = `/v1/collections/${encodeURIComponent(collection)}/documents?filename=${encodeURIComponent(file.name)}`;
  parts.mark.textContent = "Uploading";
  parts.mark.className = "state running";
  try {
    const added = await upload(path, file, (sent) => (parts.bar.value = sent));
    if (table) counted(addRow(added, collection));
    parts.item.remove();
    list.hidden = !list.children.length;
    return true;
  } catch (error) {
    parts.mark.textContent = "Not taken";
    parts.mark.className = "state failed";
    parts.why.textContent = error.message;
    parts.bar.hidden = true;
    return false;
  }
}

if (table) watch();
if (drop) {
  for (const name of ["dragover", "dragenter"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    send((await Promise.all(entries.map(filesOf))).flat());
  });
  for (const input of document.querySelectorAll("[data-files]")) input.addEventListener("change", () => { send([...input.files]); input.value = ""; });
}
