"use strict";

// What the pages of a charger share: the connection, what is wrong, writes. Each has renderPage() and forgetWish().

const SILENCE_MS = 12000; // the server says something every 5 s
const RETRY_MS = 2000;
const SETTLE_MS = 500; // a row of key presses is one wish
const WRITE_MS = 20000; // the server itself gives up earlier
const GOOD_NEWS_MS = 20000;

// Without the user and password that an address may hold: a browser refuses to send with them.
const API = new URL("api/v1/", location.origin + location.pathname);

const byId = (id) => document.getElementById(id);

let latest = null; // the newest event
let connected = null; // null: not yet
let shownAt = null; // when the charger last said something
let lostFocus = null;

// --- what the page shows

/** Touches nothing that stays: a live region would be read out again. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const known = (value, text) => (value === null || value === undefined ? "–" : text(value));
const short = (number) => String(Math.round(number * 1000) / 1000);
const watts = (value) => (value < 1000 ? `${value} W` : `${(value / 1000).toFixed(value < 9995 ? 2 : 1)} kW`);
const wattHours = (value) => (value < 1000 ? `${value} Wh` : `${(value / 1000).toFixed(value < 99995 ? 2 : 1)} kWh`);
const amperes = (value) => `${value.toFixed(1)} A`;
const volts = (value) => `${value.toFixed(0)} V`;

const inUnits = (seconds) =>
  [[Math.floor(seconds / 3600), "h"], [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
const join = (parts) => parts.map(([count, unit]) => `${count} ${unit}`).join(" ");

function duration(seconds) {
  const parts = inUnits(seconds);
  const first = parts.findIndex(([count]) => count > 0);
  return first < 0 ? "0 s" : join(parts.slice(first, first + 2));
}

/** All of it: "1 h 0 min" would hide five seconds of a limit. */
const exactDuration = (seconds) => join(inUnits(seconds).filter(([count]) => count > 0));

const limit = (text) => (value) => `Now: ${value === 0 ? "no limit" : text(value)}`;

function render() {
  const live = connected === true && latest.online;
  document.body.classList.toggle("old", !live);
  setText(byId("link"), live ? "Live" : connected === null ? "Connecting …" : "Not live");
  renderBox("problem", problems());
  if (latest) renderCharger(live);
  enableControls(live);
}

function problems() {
  if (connected === null) return [];
  if (connected && latest.online) return latest.notice ? [{ title: "Controller", text: latest.notice }] : [];
  const age = shownAt ? `The values below are from ${shownAt.toLocaleTimeString()}.` : "";
  if (!connected) return [{ title: "The connection to this server is lost", text: `Trying again … ${age}` }];
  return [{ title: "The charger does not answer", text: `${latest.error} ${age}` }];
}

/** ``items``: title and text each. Untouched as long as they stay the same. */
function renderBox(id, items) {
  const box = byId(id);
  const shown = JSON.stringify(items);
  if ((box.dataset.shown || "[]") === shown) return;
  box.dataset.shown = shown;
  box.replaceChildren(...items.map(({ title, text }) => {
    const line = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = title;
    line.append(strong, document.createElement("br"), text);
    return line;
  }));
}

function renderCharger(live) {
  setText(byId("name"), latest.name);
  renderBox("faults", latest.faults.map(({ name, advice }) => ({ title: `Fault: ${name}`, text: advice })));
  renderPage(live);
}

/** What appears or changes under a person's finger does nothing for a moment. */
function restBriefly(button) {
  button.setAttribute("aria-disabled", "true");
  setTimeout(() => button.removeAttribute("aria-disabled"), SETTLE_MS);
}

function enableControls(live) {
  const before = document.activeElement;
  for (const control of document.querySelectorAll("main button, main input")) control.disabled = !live;
  if (live) disableMore();
  if (before.disabled) lostFocus = before;
  if (live && lostFocus && !lostFocus.disabled && !lostFocus.hidden) {
    if (document.activeElement === document.body) lostFocus.focus();
    lostFocus = null;
  }
}

// --- the connection to the server

let source = null;
let watchdog = 0;
let retry = 0;

function connect() {
  disconnect();
  source = new EventSource(new URL("events", API));
  source.onerror = lose;
  source.onmessage = (event) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(lose, SILENCE_MS);
    latest = JSON.parse(event.data);
    connected = true;
    if (latest.online) shownAt = new Date();
    else forgetWish();
    render();
  };
  watchdog = setTimeout(lose, SILENCE_MS);
}

function disconnect() {
  if (source) source.close();
  source = null;
  clearTimeout(watchdog);
  clearTimeout(retry);
}

function lose() {
  disconnect();
  connected = false;
  forgetWish();
  render();
  retry = setTimeout(connect, RETRY_MS);
}

/** Nobody looks: the connection is given back (a browser has six of them for all its tabs). */
function lookAway() {
  lastChance();
  disconnect();
  connected = null;
  render();
}

/** Called by the page when all of it is there. */
function begin() {
  document.addEventListener("visibilitychange", () => (document.hidden ? lookAway() : connect()));
  if (!document.hidden) connect();
}

// --- writes

/** True if the charger took it; otherwise ``answer`` says why not. ``path`` is behind `api/v1/`. */
async function write(path, value, answer, done) {
  say(answer, "Sending …");
  try {
    const response = await fetch(new URL(path, API), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: value === undefined ? undefined : JSON.stringify(value),
      keepalive: true,
      signal: AbortSignal.timeout(WRITE_MS),
    });
    if (!response.ok) {
      say(answer, `Not done: ${await reason(response)}`, true);
      return false;
    }
  } catch (error) {
    say(answer, "The server did not answer. Look at what the charger shows before you try again.", true);
    return false;
  }
  say(answer, done);
  return true;
}

async function reason(response) {
  const text = (await response.text()).trim().replace(/^\w+: /, ""); // the API's name of the value
  return text || `the server answered ${response.status}`;
}

/** What went well is old news soon; what did not stays until the next try. */
function say(answer, text, bad = false) {
  answer.classList.toggle("bad", bad);
  setText(answer, text);
  clearTimeout(Number(answer.dataset.timer));
  if (!bad) answer.dataset.timer = setTimeout(() => setText(answer, ""), GOOD_NEWS_MS);
}

/** A second press while the first is on its way does nothing. */
function onceAtATime(work) {
  let busy = false;
  return async (event) => {
    event.preventDefault();
    const pressed = event.submitter || event.currentTarget;
    if (busy || pressed.getAttribute("aria-disabled")) return;
    busy = true;
    await work();
    busy = false;
  };
}
