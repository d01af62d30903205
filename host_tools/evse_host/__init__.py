"""Tools for a computer that talks to an ESP32-EVSE charger over its AT interface."""
