"""EVCC at the host's REST API, with our mapping and the one of the charger's documentation: real HTTP, real jq."""

from __future__ import annotations

import pytest
import yaml

from evse_host.simulator import Car, Charger, PtyServer

from .evcc_support import EXAMPLES, Evcc, EvccError, jq, needs_jq, rendered, status
from .rest_support import orders, serving, state, value
from .support import shared, wait_until

pytestmark = [needs_jq, pytest.mark.usefixtures("quick_total")]

OURS = (EXAMPLES / "evcc.yaml").read_text()

#: The mapping of the charger's documentation: its expressions and bodies, in the address' place ours. It takes energies
#: for Ws.
PUBLISHED = {
    "status": ".state[0:1]",
    "enabled": ".enabled",
    "power": ".power",
    "energy": ".totalConsumption / 3600000",
    "enable": "{{if .enable}}true{{else}}false{{end}}",
    "maxcurrent": "{{.maxcurrent}}",
    "maxcurrentmillis": "{{.maxcurrentmillis}}",
}
TOO_LITTLE = 3600


def published() -> dict:
    config = yaml.safe_load(OURS)
    (charger,) = config["chargers"]
    for key, text in PUBLISHED.items():
        charger[key]["body" if "body" in charger[key] else "jq"] = text
    return config


@pytest.fixture(scope="module")
def bench():
    with PtyServer(Charger(), time_scale=4) as server:
        owner = shared(server)
        owner.start()
        wait_until(lambda: owner.snapshot.online)
        with serving(owner) as client:
            yield server, client, owner
        owner.stop()


@pytest.fixture
def at(bench):
    """``at(STATE=4, EMETERPOWER=3680)``: the charger shows that."""
    server, client, _ = bench

    def show(**values) -> None:
        fields = {name: value if isinstance(value, tuple) else (value,) for name, value in values.items()}
        server.call(lambda charger: [charger.override(name, *fields[name]) for name in fields])
        wanted.update(fields)
        wait_until(lambda: not [name for name in fields if owner_value(client, name) != fields[name]])

    wanted: dict[str, tuple] = {}
    yield show
    wanted.pop("EMETERTOTCONSUM", None)  # it would fall, which the lifetime energy never does
    server.call(lambda charger: [charger.override(name) for name in wanted])
    wait_until(lambda: not [name for name in wanted if owner_value(client, name) != value(server, name)])


#: What shows in the state object that the charger's push has come.
SHOWN = {
    "STATE": lambda shown: (("A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F").index(shown["state"]),),
    "ENABLE": lambda shown: (int(shown["enabled"]),),
    "ERROR": lambda shown: (0 if shown["errors"] is None else 1,),
    "EMETERPOWER": lambda shown: (shown["power"],),
    "EMETERTOTCONSUM": lambda shown: (shown["totalConsumption"],),
    "EMETERCURRENT": lambda shown: tuple(round(value * 1000) for value in shown["current"]),
    "EMETERVOLTAGE": lambda shown: tuple(round(value * 1000) for value in shown["voltage"]),
}


def owner_value(client, name: str) -> tuple:
    return SHOWN[name](state(client))


def open_evcc(client, config: str | dict = OURS) -> Evcc:
    return Evcc(config, lambda uri: uri.replace("http://EVSE_HOST:8080", str(client.base_url).rstrip("/")))


@pytest.fixture(params=["ours", "published"])
def evcc(request, bench):
    with open_evcc(bench[1], OURS if request.param == "ours" else published()) as running:
        running.published = request.param == "published"
        yield running


def test_what_evcc_sees_while_a_car_charges(evcc, at):
    at(STATE=4, ENABLE=1, EMETERPOWER=7245, EMETERTOTCONSUM=1_234_649, EMETERCURRENT=(10_500, 10_400, 10_300),
       EMETERVOLTAGE=(230_100, 229_900, 231_000))  # fmt: skip
    assert evcc.status() == "C"
    assert evcc.enabled() is True
    assert evcc.power() == 7245
    assert evcc.energy() == pytest.approx(1_234.649 / (TOO_LITTLE if evcc.published else 1))
    assert evcc.currents() == [10.5, 10.4, 10.3]
    assert evcc.voltages() == [230.1, 229.9, 231.0]


def test_what_evcc_sees_without_a_car(evcc, at):
    at(STATE=0, ENABLE=0, EMETERPOWER=0, EMETERTOTCONSUM=0, EMETERCURRENT=(0, 0, 0), EMETERVOLTAGE=(0, 0, 0))
    assert evcc.status() == "A"
    assert evcc.enabled() is False
    assert (evcc.power(), evcc.energy(), evcc.currents(), evcc.voltages()) == (0, 0, [0, 0, 0], [0, 0, 0])


def test_energy_is_exact_and_the_published_mapping_is_wrong_by_what_the_page_says(evcc, at):
    at(EMETERTOTCONSUM=98_765_432)
    assert evcc.energy() == pytest.approx(98_765.432 / (TOO_LITTLE if evcc.published else 1), rel=1e-12)


def test_who_cannot_change_the_published_mapping_asks_for_ws(bench, at):
    at(EMETERTOTCONSUM=98_765_432)  # in Ws it needs 39 bits
    with serving(bench[2], energies="Ws") as client, open_evcc(client, published()) as evcc:
        assert evcc.energy() == 98_765.432


@pytest.mark.parametrize(
    ("number", "ours"),
    [(0, "A"), (1, "B"), (2, "B"), (3, "B"), (4, "C"), (5, "B"), (6, "C")],
    ids=lambda value: str(value),
)
def test_evcc_sees_a_letter_for_each_state(evcc, at, number, ours):
    at(STATE=number)
    assert evcc.status() == ("C" if evcc.published and number in (3, 5) else ours)


@pytest.mark.parametrize(("number", "letter"), [(7, "E"), (8, "F")])
def test_a_fault_and_a_charger_out_of_service_are_errors(evcc, at, number, letter):
    at(STATE=number)
    with pytest.raises(EvccError, match=f"invalid status: {letter}"):
        evcc.status()


def test_evcc_starts_and_stops_and_sees_it_at_once(evcc, bench):
    server = bench[0]
    for on in (False, True):
        evcc.enable(on)
        assert value(server, "ENABLE") == (int(on),)
        assert evcc.enabled() is on  # at once: EVCC looks after its own write


@pytest.mark.parametrize(("current", "wire"), [(6, 60), (16, 160), (32, 320)])
def test_evcc_sets_whole_amperes(evcc, bench, current, wire):
    evcc.max_current(current)
    assert value(bench[0], "CHCUR") == (wire,)


@pytest.mark.parametrize(("current", "wire"), [(6.0, 60), (10.5, 105), (10.347826086956522, 103), (31.99, 320)])
def test_evcc_sets_parts_of_an_ampere(evcc, bench, current, wire):
    evcc.max_current_millis(current)
    assert value(bench[0], "CHCUR") == (wire,)


@pytest.mark.parametrize("current", [0, 5, 33, 64])
def test_a_current_out_of_range_is_an_error_and_changes_nothing(evcc, bench, current):
    evcc.max_current(16)
    with pytest.raises(EvccError, match=r"400 \(Bad Request\): chargingCurrent: .* 6 to 32 A are allowed"):
        evcc.max_current(current)
    assert value(bench[0], "CHCUR") == (160,)


def test_evcc_writes_only_what_it_means(evcc, bench):
    server = bench[0]
    server.call(lambda charger: charger.journal.clear())
    evcc.status(), evcc.enabled(), evcc.power(), evcc.energy(), evcc.currents(), evcc.voltages()
    assert orders(server) == []
    evcc.enable(True), evcc.max_current(8), evcc.max_current_millis(8.5)
    assert orders(server) == ["ENABLE=1", "CHCUR=80", "CHCUR=85"]


def test_evcc_leads_a_whole_session(share):
    """A car comes, EVCC charges it with changing currents, pauses it, and it leaves."""
    car = Charger(car=Car(phases=1))
    with PtyServer(car, time_scale=4) as server, serving(share(server)) as client, open_evcc(client) as evcc:
        assert evcc.status() == "A"
        evcc.enable(False)
        server.call(lambda charger: charger.car.plug())
        wait_until(lambda: evcc.status() == "B", "the car is seen")
        evcc.max_current_millis(7.5)
        evcc.enable(True)
        wait_until(lambda: evcc.status() == "C", "the car charges")
        wait_until(lambda: evcc.currents() == [7.5, 0, 0], "the car follows")
        evcc.max_current(10)
        wait_until(lambda: evcc.currents()[0] == 10, "the car follows")
        wait_until(lambda: evcc.power() == pytest.approx(2300, rel=0.05))
        evcc.enable(False)
        wait_until(lambda: evcc.status() == "B" and evcc.power() == 0, "the car stops")
        server.call(lambda charger: charger.car.unplug())
        wait_until(lambda: evcc.status() == "A", "the car leaves")


# --- faults


def test_a_silent_charger_is_an_error_until_it_is_back(share):
    with PtyServer(Charger()) as server, serving(share(server)) as client, open_evcc(client) as evcc:
        assert evcc.enabled()
        server.inject(lambda faults: faults.cable_out())
        wait_until(lambda: client.get("/api/v1/state").status_code == 503)
        for ask in (evcc.status, evcc.enabled, evcc.power, evcc.energy, evcc.currents, evcc.voltages):
            with pytest.raises(EvccError, match=r"503 \(Service Unavailable\): charger is offline"):
                ask()
        for write in (
            lambda: evcc.enable(False),
            lambda: evcc.max_current(6),
            lambda: evcc.max_current_millis(6.5),
        ):
            with pytest.raises(EvccError, match="503"):
                write()
        server.inject(lambda faults: faults.cable_in())
        wait_until(lambda: client.get("/api/v1/state").status_code == 200)
        assert evcc.enabled()
        assert orders(server) == []


def test_no_server_is_an_error():
    with Evcc(OURS, lambda uri: uri.replace("EVSE_HOST:8080", "127.0.0.1:1")) as evcc:
        for ask in (evcc.status, lambda: evcc.enable(True)):
            with pytest.raises(EvccError, match="refused"):
                ask()


@pytest.mark.parametrize(("password", "works"), [("wrong", False), ("secret", True)])
def test_evcc_gets_in_with_the_right_password_only(bench, password, works):
    config = yaml.safe_load(OURS)
    (charger,) = config["chargers"]
    for block in charger.values():
        for plugin in block if isinstance(block, list) else [block] if isinstance(block, dict) else []:
            plugin["auth"] = {"type": "basic", "user": "evcc", "password": password}
    server, owner = bench[0], bench[2]
    with serving(owner, ("evcc", "secret")) as client, open_evcc(client, config) as evcc:
        asks = (evcc.status, evcc.enabled, evcc.voltages, lambda: evcc.enable(True), lambda: evcc.max_current(12))
        for ask in asks:
            if works:
                ask()
                continue
            with pytest.raises(EvccError, match="401"):
                ask()
    assert (value(server, "CHCUR") == (120,)) is works


# --- the stand-in for EVCC itself


def test_the_stand_in_prints_and_renders_as_go_does():
    assert [jq(".", text) for text in ("7245", "7245.0", "10.5", "true", "null", '"C2"')] == [
        "7245", "7245", "10.5", "true", "<nil>", "C2",
    ]  # fmt: skip
    with pytest.raises(EvccError):
        jq(".state", "charger is offline")
    with pytest.raises(EvccError):
        jq(".[]", "[1,2]")
    assert rendered("", "enable", True) == "true"
    assert rendered("${enable}", "enable", False) == "false"
    assert rendered(PUBLISHED["enable"], "enable", True) == "true"
    assert rendered("${maxcurrentmillis:%.1f}", "maxcurrentmillis", 10.347) == "10.3"
    assert [status(text) for text in ("A", "b1", "C1", "C2", "D1", "D2")] == ["A", "B", "B", "C", "B", "C"]
