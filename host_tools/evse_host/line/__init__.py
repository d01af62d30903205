"""The serial line to a charger: ports, the charger as a Python object, and the line shared by several."""
