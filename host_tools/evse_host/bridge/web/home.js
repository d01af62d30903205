"use strict";

// The page of a charger: what it does, start and stop, the current, and what it did.

function renderPage(live) {
  document.title = `${live ? latest.headline : "Not live"}: ${latest.name}`;
  byId("now").className = live ? latest.kind : "";
  setText(byId("headline"), latest.headline);
  setText(byId("explanation"), latest.explanation);
  setText(byId("power"), known(latest.power, watts));
  byId("gauge-part").style.setProperty("--part", gauge());
  renderActions();
  renderCurrent();
  renderPhases("currents", latest.currents, amperes);
  renderPhases("voltages", latest.voltages, volts);
  setText(byId("session-energy"), known(latest.session_energy, wattHours));
  setText(byId("session-time"), known(latest.session_time, duration));
  setText(byId("charging-time"), known(latest.charging_time, duration));
  setText(byId("total-energy"), known(latest.total_energy, wattHours));
}

/** How much of what is allowed the car takes, by its largest phase. */
function gauge() {
  const drawn = Math.max(0, ...(latest.currents || []));
  return latest.charging && latest.charging_current ? Math.min(1, drawn / latest.charging_current) : 0;
}

/** Only what can be done: where nothing can charge there is nothing to stop. */
function renderActions() {
  const toggle = byId("toggle");
  const authorize = byId("authorize");
  const text = latest.action === "stop" ? "Stop charging" : "Start charging";
  const lost = [toggle, authorize].includes(document.activeElement) ? document.activeElement : null;
  if (toggle.textContent !== text || (latest.action && toggle.hidden)) restBriefly(toggle);
  if (latest.action) setText(toggle, text);
  toggle.classList.toggle("stop", latest.action === "stop");
  toggle.hidden = !latest.action;
  if (latest.pending_authorization && authorize.hidden) restBriefly(authorize);
  authorize.hidden = !latest.pending_authorization;
  if (lost && lost.hidden) lostFocus = authorize.hidden ? toggle : authorize; // as soon as it is there
}

function renderPhases(id, values, text) {
  [...byId(id).cells].slice(1).forEach((cell, phase) => setText(cell, known(values && values[phase], text)));
}

function disableMore() {
  const current = latest.maximum_current !== null && latest.charging_current !== null;
  for (const id of ["less", "current", "more"]) byId(id).disabled = !current;
}

/** The page goes out of sight. */
function lastChance() {
  if (settling) sendCurrent();
  else if (!sending) forgetWish();
}

byId("toggle").addEventListener("click", onceAtATime(async () => {
  const on = latest.action !== "stop";
  await write("state/enabled", on, byId("now-answer"), on ? "Charging is allowed." : "Charging is stopped.");
}));

byId("authorize").addEventListener("click", onceAtATime(async () => {
  await write("state/authorize", undefined, byId("now-answer"), "Authorized.");
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
    const done = await write("state/charging-current", ampere, byId("current-answer"), `Set to ${amperes(ampere)}.`);
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

// --- what it did

const SVG = "http://www.w3.org/2000/svg";
const HISTORY_MS = 60000;
const [HEIGHT, BOTTOM] = [192, 24]; // pixels; below BOTTOM are the hours
let width = 720; // as wide as there is room
let past = null; // the newest history
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

/** Pieces of a line, in drawing units; where nothing is known it is broken. */
function pieces(values, top) {
  const found = [];
  let piece = null;
  values.forEach((value, at) => {
    if (value === null) {
      piece = null;
      return;
    }
    if (!piece) found.push((piece = []));
    const y = (HEIGHT - BOTTOM) * (1 - value / top) + 1;
    piece.push([(width * (at + 0.5)) / values.length, Math.max(1, y)]);
  });
  for (const points of found) if (points.length === 1) points.push([points[0][0] + 1, points[0][1]]); // else invisible
  return found;
}

const line = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

function renderHistory({ start, step, power, energy, sessions }) {
  const chart = byId("chart");
  width = Math.max(200, chart.clientWidth);
  const most = Math.max(1000, ...power.map((value) => value || 0));
  const top = Math.ceil(most / 1000) * 1000;
  const topEnergy = Math.max(1000, ...energy.map((value) => value || 0));
  chart.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const drawn = [];
  for (const part of [0.25, 0.5, 0.75, 1]) {
    const y = (HEIGHT - BOTTOM) * (1 - part) + 1;
    drawn.push(shape("line", { class: "grid", x1: 0, x2: width, y1: y, y2: y }));
  }
  for (const points of pieces(power, top)) {
    const [first, last] = [points[0][0], points[points.length - 1][0]];
    const floor = HEIGHT - BOTTOM + 1;
    drawn.push(shape("polygon", { class: "power", points: `${first},${floor} ${line(points)} ${last},${floor}` }));
    drawn.push(shape("polyline", { class: "power", points: line(points) }));
  }
  for (const points of pieces(energy, topEnergy)) drawn.push(shape("polyline", { class: "energy", points: line(points) }));
  drawn.push(...hours(start, step * power.length));
  drawn.push(shape("text", { class: "scale", x: 4, y: 14 }, watts(top)));
  drawn.push(shape("text", { class: "scale end", x: width - 4, y: 14 }, wattHours(topEnergy)));
  chart.replaceChildren(...drawn);
  setText(byId("history-text"), inWords(power));
  renderSessions(sessions);
}

/** Every sixth hour of the day. */
function hours(start, span) {
  const found = [];
  const at = new Date(start * 1000);
  at.setMinutes(0, 0, 0);
  for (at.setHours(at.getHours() + 1); at.getTime() / 1000 < start + span; at.setHours(at.getHours() + 1)) {
    if (at.getHours() % 6) continue;
    const x = (width * (at.getTime() / 1000 - start)) / span;
    found.push(shape("line", { class: "grid", x1: x, x2: x, y1: 0, y2: HEIGHT - BOTTOM }));
    found.push(shape("text", { class: "hour", x: Math.min(Math.max(x, 24), width - 24), y: HEIGHT - 6 }, clock.format(at)));
  }
  return found;
}

function inWords(power) {
  const heard = power.filter((value) => value !== null);
  if (!heard.length) return "Nothing yet: it is kept in memory, from the server's start on.";
  return `At most ${watts(Math.max(...heard))}.`;
}

function renderSessions(sessions) {
  byId("sessions").hidden = !sessions.length;
  byId("no-sessions").hidden = sessions.length > 0;
  byId("sessions").tBodies[0].replaceChildren(...sessions.map(({ start, duration: seconds, energy }) => {
    const row = document.createElement("tr");
    for (const text of [day.format(new Date(start * 1000)), duration(seconds), wattHours(energy)]) {
      row.insertCell().textContent = text;
    }
    return row;
  }));
}

async function lookBack() {
  try {
    const answer = await fetch(new URL("history", API), { signal: AbortSignal.timeout(WRITE_MS) });
    if (!answer.ok) return;
    past = await answer.json();
    renderHistory(past);
  } catch (error) {
    return; // the next try is in a minute
  }
}

window.addEventListener("resize", () => past && renderHistory(past));
setInterval(() => document.hidden || lookBack(), HISTORY_MS);
document.addEventListener("visibilitychange", () => document.hidden || lookBack());
lookBack();
begin();
