"""The charger's language: bytes to lines to values, one command at a time, and what it all means. No port, no clock."""
