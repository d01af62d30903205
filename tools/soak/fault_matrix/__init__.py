"""The real node and a simulated charger, with everything that can go wrong between them: does any of it ever lead to a
wrong value, a lost write or a command that nobody asked for? ``python -m tools fault-matrix --help``."""
