"use strict";

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
  document.title = `${live ? latest.headline : "Not live"}: ${latest.name}`;
  byId("now").className = live ? latest.kind : "";
  setText(byId("headline"), latest.headline);
  setText(byId("explanation"), latest.explanation);
  setText(byId("power"), known(latest.power, watts));
  renderBox("faults", latest.faults.map(({ name, advice }) => ({ title: `Fault: ${name}`, text: advice })));
  renderActions();
  renderCurrent();
  renderPhases("currents", latest.currents, amperes);
  renderPhases("voltages", latest.voltages, volts);
  setText(byId("session-energy"), known(latest.session_energy, wattHours));
  setText(byId("session-time"), known(latest.session_time, duration));
  setText(byId("charging-time"), known(latest.charging_time, duration));
  setText(byId("energy-now"), known(latest.energy_limit, limit((wh) => `${short(wh / 1000)} kWh`)));
  setText(byId("time-now"), known(latest.time_limit, limit(exactDuration)));
  setText(byId("under-power-now"), known(latest.under_power_limit, limit((w) => `${w} W`)));
  setText(byId("state"), known(latest.state, String));
  setText(byId("temperature"), known(latest.temperature, (celsius) => `${celsius.toFixed(1)} °C`));
  setText(byId("total-energy"), known(latest.total_energy, wattHours));
  setText(byId("maximum-current"), known(latest.maximum_current, (ampere) => `${ampere} A`));
  setText(byId("version"), known(latest.version, String));
}

function renderActions() {
  const toggle = byId("toggle");
  const authorize = byId("authorize");
  const text = latest.enabled ? "Stop charging" : "Start charging";
  if (toggle.textContent !== text) restBriefly(toggle);
  setText(toggle, text);
  toggle.classList.toggle("stop", latest.enabled === true);
  if (!latest.pending_authorization && document.activeElement === authorize) toggle.focus();
  if (latest.pending_authorization && authorize.hidden) restBriefly(authorize);
  authorize.hidden = !latest.pending_authorization;
}

/** What appears or changes under a person's finger does nothing for a moment. */
function restBriefly(button) {
  button.setAttribute("aria-disabled", "true");
  setTimeout(() => button.removeAttribute("aria-disabled"), SETTLE_MS);
}

function renderPhases(id, values, text) {
  [...byId(id).cells].slice(1).forEach((cell, phase) => setText(cell, known(values && values[phase], text)));
}

function enableControls(live) {
  const before = document.activeElement;
  for (const control of document.querySelectorAll("main button, main input")) control.disabled = !live;
  const current = live && latest.maximum_current !== null && latest.charging_current !== null;
  for (const id of ["less", "current", "more"]) byId(id).disabled = !current;
  byId("toggle").disabled = !live || latest.enabled === null;
  if (before.disabled) lostFocus = before;
  if (live && lostFocus && !lostFocus.disabled) {
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
  if (settling) sendCurrent();
  else if (!sending) forgetWish();
  disconnect();
  connected = null;
  render();
}

document.addEventListener("visibilitychange", () => (document.hidden ? lookAway() : connect()));

// --- writes

/** True if the charger took it; otherwise ``answer`` says why not. */
async function write(path, value, answer, done) {
  say(answer, "Sending …");
  try {
    const response = await fetch(new URL(`state/${path}`, API), {
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
    if (busy || event.currentTarget.getAttribute("aria-disabled")) return;
    busy = true;
    await work();
    busy = false;
  };
}

byId("toggle").addEventListener("click", onceAtATime(async () => {
  const on = !latest.enabled;
  if (await write("enabled", on, byId("now-answer"), on ? "Charging is allowed." : "Charging is stopped.")) {
    latest.enabled = on;
    render();
  }
}));

byId("authorize").addEventListener("click", onceAtATime(async () => {
  await write("authorize", undefined, byId("now-answer"), "Authorized.");
}));

// --- the charging current

let wish = null; // A; what the person chose and the charger has not confirmed
let settling = 0; // the timer that will send it
let settled = false; // it may be sent
let sending = false;
let dragging = false;

function renderCurrent() {
  const range = byId("current");
  const { charging_current: current, maximum_current: maximum } = latest;
  setText(byId("current-hint"), maximum === null ? "The charger does not tell its largest current." :
    `What the car may draw on each phase: 6 A to ${maximum} A.`);
  if (maximum !== null && range.max !== String(maximum)) range.max = maximum;
  if (wish === null && !dragging) range.value = current === null ? 6 : current;
  const shown = wish === null ? current : wish;
  const above = maximum !== null && shown > maximum ? ", above the charger's maximum" : "";
  setText(byId("current-shown"), known(shown, amperes) + above);
  range.style.setProperty("--part", (range.valueAsNumber - 6) / (Number(range.max) - 6 || 1));
  range.setAttribute("aria-valuetext", known(shown, (ampere) => `${ampere.toFixed(1)} ampere`));
}

function choose(ampere) {
  const range = byId("current");
  range.value = ampere;
  wish = Math.round(range.valueAsNumber * 10) / 10;
  unsettle();
  renderCurrent();
}

function settle() {
  clearTimeout(settling);
  settling = setTimeout(sendCurrent, SETTLE_MS);
}

function unsettle() {
  clearTimeout(settling);
  settling = 0;
  settled = false;
}

function forgetWish() {
  unsettle();
  wish = null;
}

/** One write at a time; what was chosen meanwhile goes next, once it has settled, too. */
async function sendCurrent() {
  clearTimeout(settling);
  settling = 0;
  settled = true;
  if (sending) return;
  sending = true;
  while (settled && wish !== null) {
    settled = false;
    const ampere = wish;
    const done = await write("charging-current", ampere, byId("current-answer"), `Set to ${amperes(ampere)}.`);
    if (done) latest.charging_current = ampere;
    if (wish === ampere) wish = null;
  }
  sending = false;
  render();
}

function step(ampere) {
  choose(byId("current").valueAsNumber + ampere);
  settle();
}

byId("current").addEventListener("input", (event) => {
  const ampere = event.target.valueAsNumber;
  choose(dragging ? Math.round(ampere) : ampere); // a finger cannot aim at tenths
});
byId("current").addEventListener("change", settle);
byId("current").addEventListener("pointerdown", () => (dragging = true));
window.addEventListener("pointerup", () => (dragging = false));
window.addEventListener("pointercancel", () => {
  if (!dragging) return;
  dragging = false; // the finger scrolled the page: that was no wish
  forgetWish();
  render();
});
byId("current").addEventListener("keydown", (event) => {
  const ampere = { PageUp: 1, PageDown: -1 }[event.key];
  if (ampere === undefined) return;
  event.preventDefault();
  step(ampere);
});
byId("less").addEventListener("click", () => step(-0.1));
byId("more").addEventListener("click", () => step(0.1));

// --- the limits

/** A small limit must not become 0, which is none. */
const whole = (number) => (number > 0 ? Math.max(1, Math.round(number)) : 0);

/** ``scale`` makes the API's unit of the one that people enter. */
function addLimit(id, path, scale) {
  const input = byId(id);
  const answer = byId(`${id}-answer`);
  input.addEventListener("input", () => {
    input.removeAttribute("aria-invalid");
    say(answer, "");
  });
  byId(`${id}-limit`).addEventListener("submit", onceAtATime(async () => {
    const text = input.value.trim().replace(",", ".");
    const good = /^\d+(\.\d+)?$/.test(text);
    if (!good) {
      input.setAttribute("aria-invalid", "true");
      say(answer, "Please enter a number, 0 for no limit.", true);
      input.focus();
      return;
    }
    if (await write(path, scale(Number(text)), answer, "Done.")) input.value = "";
  }));
}

addLimit("energy", "consumption-limit", (kWh) => whole(kWh * 1000) * latest.per_wh);
addLimit("time", "charging-time-limit", (minutes) => whole(minutes * 60));
addLimit("under-power", "under-power-limit", whole);

if (!document.hidden) connect();
