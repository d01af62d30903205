"use strict";

const API = new URL("api/v1/chargers", location.origin + location.pathname);
const AGAIN_MS = 2000;

const watts = (value) => (value < 1000 ? `${value} W` : `${(value / 1000).toFixed(value < 9995 ? 2 : 1)} kW`);

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** One line for each charger, made once: what stays is not touched. */
function row(charger) {
  const known = document.getElementById(`charger-${charger.path}`);
  if (known) return known;
  const item = document.createElement("li");
  item.id = `charger-${charger.path}`;
  const link = document.createElement("a");
  link.href = charger.path;
  for (const part of ["title", "headline", "figure"]) {
    const span = document.createElement("span");
    span.className = part;
    link.append(span);
  }
  item.append(link);
  document.getElementById("chargers").append(item);
  return item;
}

function render(chargers) {
  for (const charger of chargers) {
    const item = row(charger);
    item.className = charger.online ? charger.kind : "silent";
    put(item.querySelector(".title"), charger.name);
    put(item.querySelector(".headline"), charger.online ? charger.headline : "Does not answer");
    put(item.querySelector(".figure"), charger.online && charger.power !== null ? watts(charger.power) : "–");
  }
}

async function look() {
  let live = false;
  try {
    const answer = await fetch(API, { signal: AbortSignal.timeout(10000) });
    if (answer.ok) render(await answer.json());
    live = answer.ok;
  } catch (error) {
    live = false;
  }
  document.body.classList.toggle("old", !live);
  put(document.getElementById("link"), live ? "Live" : "Not live");
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", look, { once: true }) : look()), AGAIN_MS);
}

look();
