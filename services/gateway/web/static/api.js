// The REST API as this page's session may use it, and elements made without ever reading text as markup.

const token = document.querySelector('meta[name="csrf"]')?.content ?? "";

export class Refused extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-CSRF-Token": token, ...options.headers } });
  if (answer.ok) return answer;
  throw new Refused(...(await why(answer)));
}

export const getJson = async (path) => (await ask(path)).json();

export const postJson = async (path, body, options = {}) =>
  (await ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, ...options })).json();

async function why(answer) {
  if (answer.status === 401) return ["You are signed out: load the page again.", "unauthorized"];
  try {
    const told = await answer.json();
    return [told.detail ?? told.error?.message ?? `The server answered ${answer.status}.`, told.code];
  } catch {
    return [`The server answered ${answer.status}.`];
  }
}

// An upload, since fetch cannot tell how much of a body has gone.
export function upload(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("X-CSRF-Token", token);
    request.setRequestHeader("Content-Type", "application/pdf");
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onload = () =>
      request.status < 300 ? resolve(request.response) : reject(new Refused(request.response?.detail ?? `The server answered ${request.status}.`));
    request.onerror = () => reject(new Refused("The connection broke: try this file again."));
    request.send(file);
  });
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// The parts of this page that are marked so, as the server would make them now.
export async function refresh() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const standing of document.querySelectorAll("[data-fresh]")) {
    const made = fresh.querySelector(`[data-fresh="${CSS.escape(standing.dataset.fresh)}"]`);
    if (made && !standing.contains(document.activeElement)) standing.replaceWith(document.importNode(made, true));
  }
}

// Runs once things have been quiet for a moment.
export function soon(run, milliseconds = 700) {
  let waiting;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(run, milliseconds);
  };
}
