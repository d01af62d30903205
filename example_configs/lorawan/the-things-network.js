// Uplinks of a Dragino RS485-LN with the settings of rs485-ln.txt: for The Things Network (payload formatter, custom
// JavaScript) and ChirpStack (codec). The same as evse_host.bridge.lorawan in Python.

var VERSION = 1;
var LENGTH = 44;
var STATES = ["A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F"];
var ERRORS = [
  "pilot_fault",
  "diode_short",
  "lock_fault",
  "unlock_fault",
  "rcm_triggered",
  "rcm_selftest_fault",
  "temperature_high",
  "temperature_fault",
];
var NO_TEMPERATURE = -32768;

function decodeUplink(input) {
  var bytes = input.bytes;
  var problem = findProblem(bytes);
  if (problem) {
    return { data: null, warnings: [], errors: [problem] };
  }
  var warnings = [];
  var temperature = int16(bytes, 42);
  var data = {
    state: findState(bytes, warnings),
    errors: findErrors(uint32(bytes, 3), warnings),
    enabled: bytes[7] === 1,
    power: bytes[8] * 256 + bytes[9], // W
    consumption: uint32(bytes, 10), // Wh, of this session
    voltage: [14, 18, 22].map(function (at) { return uint32(bytes, at) / 1000; }), // V, L1 to L3
    current: [26, 30, 34].map(function (at) { return uint32(bytes, at) / 1000; }), // A, L1 to L3
    uptime: uint32(bytes, 38), // s
    temperature: temperature === NO_TEMPERATURE ? null : temperature / 100, // °C, null without a sensor
  };
  return { data: data, warnings: warnings, errors: [] };
}

// Why these bytes hold no values: wrong ones are worse than none.
function findProblem(bytes) {
  if (bytes.length === 0) {
    return "the payload is empty";
  }
  if (bytes[0] !== VERSION) {
    return "payload version " + bytes[0] + ", only " + VERSION + " is known";
  }
  if (bytes.length !== LENGTH) {
    return bytes.length + " bytes, a payload has " + LENGTH;
  }
  if (!/^[A-Z?][0-9]?$/.test(stateText(bytes))) {
    return "no state in bytes 1 and 2: the charger did not answer";
  }
  if (bytes[7] > 1) {
    return "enabled is " + bytes[7] + ", only 0 and 1 are known";
  }
  return "";
}

function stateText(bytes) {
  return String.fromCharCode(bytes[1]) + (bytes[2] === 0 ? "" : String.fromCharCode(bytes[2]));
}

function findState(bytes, warnings) {
  var text = stateText(bytes);
  if (STATES.indexOf(text) >= 0) {
    return text;
  }
  warnings.push("unknown state " + text);
  return "?";
}

function findErrors(bits, warnings) {
  var names = ERRORS.filter(function (_, bit) { return (bits >>> bit) & 1; });
  var unknown = (bits >>> ERRORS.length) * Math.pow(2, ERRORS.length);
  if (unknown > 0) {
    warnings.push("unknown error bits 0x" + unknown.toString(16));
  }
  return names;
}

function uint32(bytes, at) {
  return ((bytes[at] * 256 + bytes[at + 1]) * 256 + bytes[at + 2]) * 256 + bytes[at + 3];
}

function int16(bytes, at) {
  var value = bytes[at] * 256 + bytes[at + 1];
  return value < 32768 ? value : value - 65536;
}
