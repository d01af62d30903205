"use strict";

// The settings of a charger.

function renderPage(live) {
  document.title = `${live ? "Settings" : "Not live"}: ${latest.name}`;
  setText(byId("energy-now"), known(latest.energy_limit, limit(kilowattHours)));
  setText(byId("time-now"), known(latest.time_limit, limit(exactDuration)));
  setText(byId("under-power-now"), known(latest.under_power_limit, limit((w) => `${w} W`)));
  setText(byId("default-current-now"), known(latest.default_current, (ampere) => `Now: ${amperes(ampere)}`));
  setText(byId("default-energy-now"), known(latest.default_energy_limit, limit(kilowattHours)));
  const needed = latest.requires_authorization;
  setText(byId("authorization-now"), known(needed, (yes) => (yes ? "Now: needed" : "Now: not needed")));
  if (byId("authorization").textContent !== asked()) restBriefly(byId("authorization"));
  setText(byId("authorization"), asked());
  setText(byId("state"), known(latest.state, String));
  setText(byId("temperature"), known(latest.temperature, (celsius) => `${celsius.toFixed(1)} °C`));
  setText(byId("maximum-current"), known(latest.maximum_current, (ampere) => `${ampere} A`));
  setText(byId("version"), known(latest.version, String));
}

const kilowattHours = (wh) => `${short(wh / 1000)} kWh`;
const asked = () => (latest.requires_authorization ? "Do not require it" : "Require it");

function disableMore() {
  byId("authorization").disabled = latest.requires_authorization === null;
}

function lastChance() {}
function forgetWish() {}

/** A small limit must not become 0, which is none. */
const whole = (number) => (number > 0 ? Math.max(1, Math.round(number)) : 0);
const energy = (kWh) => whole(kWh * 1000) * latest.per_wh;

/** ``body`` makes of the number that people enter what is written to ``path``. */
function addForm(id, path, body, wanted = "Please enter a number, 0 for no limit.") {
  const input = byId(id);
  const answer = byId(`${id}-answer`);
  input.addEventListener("input", () => {
    input.removeAttribute("aria-invalid");
    say(answer, "");
  });
  byId(`${id}-form`).addEventListener("submit", onceAtATime(async () => {
    const text = input.value.trim().replace(",", ".");
    if (!/^\d+(\.\d+)?$/.test(text)) {
      input.setAttribute("aria-invalid", "true");
      say(answer, wanted, true);
      input.focus();
      return;
    }
    if (await write(path, body(Number(text)), answer, "Done.")) input.value = "";
  }));
}

addForm("energy", "state/consumption-limit", energy);
addForm("time", "state/charging-time-limit", (minutes) => whole(minutes * 60));
addForm("under-power", "state/under-power-limit", whole);
addForm("default-current", "config/evse", (ampere) => ({ defaultChargingCurrent: ampere }), "Please enter a number.");
addForm("default-energy", "config/evse", (kWh) => ({ defaultConsumptionLimit: energy(kWh) }));
byId("authorization-form").addEventListener("submit", onceAtATime(async () => {
  await write("config/evse", { requireAuth: !latest.requires_authorization }, byId("authorization-answer"), "Done.");
}));

begin();
