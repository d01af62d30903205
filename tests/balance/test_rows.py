"""What Home Assistant's recorder gets of the load manager in an hour of a living house."""

from __future__ import annotations

import random

from tests.support.recorder import rows

MANAGERS = {"sensor.Target current", "sensor.Available current", "sensor.House L1", "sensor.Surplus"}
WORDS = {"text_sensor.Reason", "binary_sensor.Limiting", "binary_sensor.Meter valid", "select.Mode"}
MINUTES = 20


def test_a_noisy_house_with_a_hob_does_not_fill_the_database(charging) -> None:
    """A meter that speaks every second, a base load that is never the same, a hob that pulses on two phases."""
    noise = random.Random(7)

    def live() -> None:
        for second in range(MINUTES * 60):
            hob = 8.0 if second % 600 > 300 and second % 20 < 7 else 0.0
            charging.loads = [noise.uniform(1.5, 3.5) + hob, noise.uniform(2, 4) + hob, noise.uniform(0.5, 1)]
            charging.live(1)

    counted = rows(charging.node, live)
    in_an_hour = {name: count * 60 / MINUTES for name, count in counted.items()}
    assert sum(in_an_hour.get(name, 0) for name in MANAGERS) <= 1300
    assert sum(in_an_hour.get(name, 0) for name in WORDS) <= 250
    assert counted["sensor.House L1"] >= MINUTES * 60 / 30 - 2
