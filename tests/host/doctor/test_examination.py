"""What the doctor concludes: its judgements one by one, and whole examinations of a charger in virtual time."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evse_host.catalog import COMMANDS
from evse_host.doctor import Doctor, Status
from evse_host.doctor.charger import Exchange, agreed_names, judge_firmware
from evse_host.doctor.line import Kind, Sample, best, classify, judge_lines, judge_mode
from evse_host.doctor.timing import distribution, judge_cadence, judge_errors, judge_round_trips
from evse_host.simulator import Charger
from evse_host.wire.codec import Damaged, Other, Result, Value
from tests.host.bench_line import BenchLine, applied_writes, resample

LOG = b"\x1b[0;32mI (4711) evse: state A\x1b[0m\r\nI (4811) wifi: connected\r\n"
KNOCK = b"~\nAT\n"


def examine(line, **options):
    """Findings by step."""
    it = Doctor(line, clock=line.clock, **options)
    findings = list(it.examine())
    it.leave()
    return {finding.step: finding for finding in findings}


def statuses(findings):
    return {step: finding.status for step, finding in findings.items()}


def assert_harmless(line):
    """Nothing was written, no manners were broken, and nothing is left behind."""
    assert line.charger.journal.writes() == [] and line.charger.journal.violations == []
    assert line.charger.subscriptions == [] and line.charger.echo is False


# --- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "sent", "kind"),
    [
        (b"", KNOCK, Kind.SILENCE),
        (bytes(5), KNOCK, Kind.LOW),
        (b"\nERROR\n\nOK\n", KNOCK, Kind.ANSWERS),
        (b"~\n\nERROR\nAT\n\nOK\n", KNOCK, Kind.ANSWERS),
        (KNOCK, KNOCK, Kind.LOOPBACK),
        (b"\n+STATE=0\n", KNOCK, Kind.HEARD),
        (b"\n\nRDY\n\0", b"", Kind.HEARD),
        (LOG, KNOCK, Kind.LOG),
        (b"\xff\x00\x80\xfe\x1c\xe0\xc0", KNOCK, Kind.GARBAGE),
        (b"\x8f", KNOCK, Kind.GARBAGE),
    ],
)
def test_the_doctor_tells_answers_logs_echo_and_noise_apart(data, sent, kind):
    assert classify(data, sent) is kind


def test_the_sample_that_says_most_counts():
    samples = [Sample(115200, b"\x80\xff\xfe"), Sample(9600, LOG), Sample(19200, b"")]
    assert best(samples).baud_rate == 9600


# --- judgements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.SILENCE, Kind.LOW, Kind.LOOPBACK, Kind.HEARD])
def test_every_fault_of_the_lines_has_its_remedy(kind):
    finding = judge_lines(kind)
    assert finding.status is Status.PROBLEM
    assert finding.seen and finding.means and finding.do


def test_the_faults_of_the_lines_are_told_apart():
    kinds = (Kind.SILENCE, Kind.LOW, Kind.LOOPBACK, Kind.HEARD, Kind.ANSWERS)
    assert len({judge_lines(kind).seen for kind in kinds}) == len(kinds)


def test_log_between_answers_is_a_warning():
    finding = judge_mode(Kind.ANSWERS, b"\n+STATE=0\n\nOK\nI (99) evse: state B\n")
    assert finding.status is Status.WARNING and "log output between the answers" in finding.seen


def exchange(verdict, seconds=0.005):
    events = {
        "good": (Value("STATE", (0,)), Result(True)),
        "damaged": (Damaged(b"+STA\x80"), Result(True)),
        "lost": (),
        "refused": (Result(False),),
    }[verdict]
    result = {"good": True, "damaged": True, "lost": None, "refused": False}[verdict]
    return Exchange("AT+STATE?", events, result, seconds)


@pytest.mark.parametrize("verdict", ["good", "damaged", "lost", "refused"])
def test_the_verdict_on_an_exchange(verdict):
    assert exchange(verdict).verdict == verdict


def test_an_echo_is_seen():
    assert Exchange("AT+VER?", (Other("AT+VER?"), Value("VER", ("x",)), Result(True)), True, 0.01).echoed


def test_no_error_is_a_bound_and_no_proof():
    finding = judge_errors([exchange("good")] * 300)
    assert finding.status is Status.OK and "below 1 % with 95 % certainty" in finding.seen


@pytest.mark.parametrize(("bad", "status"), [(1, Status.WARNING), (3, Status.WARNING), (4, Status.PROBLEM)])
def test_errors_are_counted(bad, status):
    finding = judge_errors([exchange("lost")] * bad + [exchange("good")] * (300 - bad))
    assert finding.status is status
    assert finding.data == {"exchanges": 300, "lost": bad, "damaged": 0, "refused": 0, "rate": round(bad / 300, 5)}


@pytest.mark.parametrize(("seconds", "status"), [(0.006, Status.OK), (0.020, Status.NOTE), (0.060, Status.WARNING)])
def test_slow_round_trips_name_the_latency_timer(seconds, status):
    finding = judge_round_trips([exchange("good", seconds)] * 20, 0.0023)
    assert finding.status is status
    assert ("latency" in finding.do) == (status is not Status.OK)


def test_a_slow_network_is_nothing_to_repair():
    finding = judge_round_trips([exchange("good", 0.060)] * 20, 0.0023, network=True)
    assert finding.status is Status.NOTE and "network" in finding.do and "latency" not in finding.do


def test_answer_times_are_summed_up_by_median_and_worst():
    times = distribution([float(value) for value in range(100, 0, -1)])
    assert times == {"count": 100, "min": 1, "median": 50.5, "p95": 96, "p99": 100, "max": 100}


def test_noise_in_one_listing_neither_hides_nor_invents_a_command():
    first, second = {"STATE", "CHCUR", "STAUE", "NEW"}, {"STATE", "VER", "NEW"}
    assert agreed_names(first, second) == {"STATE", "CHCUR", "VER", "NEW"}


def test_commands_that_the_catalog_does_not_know_are_named():
    known = {command.name for command in COMMANDS} | {"NEW"}
    finding = judge_firmware({"VER": ("v3",), "DEVNAME": ("Board",)}, known)
    assert finding.status is Status.OK and finding.seen.endswith("it also knows NEW")
    assert judge_firmware({}, set()).status is Status.WARNING


def cadence(times=(0.0, 0.26, 0.52, 0.78, 1.04), after=0, strangers=(), accepted=True):
    return judge_cadence("UPTIME", times, after, strangers, accepted)


def test_a_steady_cadence_is_well():
    finding = cadence()
    assert finding.status is Status.OK and finding.seen == "every 260 ms, 260 to 260 ms"


@pytest.mark.parametrize(
    ("change", "status", "seen"),
    [
        ({"times": ()}, Status.PROBLEM, "0 pushes"),
        ({"times": (0, 0.26, 0.52, 1.5, 1.76)}, Status.WARNING, "irregular"),
        ({"after": 2}, Status.WARNING, "2 came after they were stopped"),
        ({"strangers": ("STATE",)}, Status.NOTE, "others had subscribed to STATE"),
        (
            {"strangers": ("STATE",), "times": (0, 0.26, 0.27, 1.5, 1.6), "after": 1},
            Status.NOTE,
            "others had subscribed",
        ),
        ({"accepted": False}, Status.WARNING, "not confirmed"),
    ],
)
def test_what_is_wrong_with_a_cadence_is_said(change, status, seen):
    finding = cadence(**change)
    assert finding.status is status and seen in finding.seen


# --- examinations -----------------------------------------------------------------------------------------------------


def test_a_healthy_charger_is_well_in_every_respect():
    line = BenchLine()
    findings = examine(line)
    assert set(statuses(findings).values()) == {Status.OK}
    assert list(findings) == ["bytes", "baud rate", "lines", "mode", "echo", "firmware", "round trip", "errors",
                              "pushes", "restarts"]  # fmt: skip
    assert findings["pushes"].data["median"] == pytest.approx(260, abs=1)
    assert_harmless(line)


def test_released_firmware_lacks_two_commands():
    line = BenchLine(Charger("v2.1.1"))
    findings = examine(line)
    assert findings["firmware"].status is Status.NOTE
    assert findings["firmware"].data["lacks"] == ["TZ", "TZRULE"]
    assert findings["pushes"].data["median"] == pytest.approx(100, abs=1)
    assert_harmless(line)


@pytest.mark.parametrize("rate", [9600, 57600, 921600])
def test_another_baud_rate_is_found(rate):
    line = BenchLine()
    line.charger_baud_rate = rate
    findings = examine(line)
    assert findings["baud rate"].status is Status.WARNING and findings["baud rate"].data["baud_rate"] == rate
    assert f"--baud {rate}" in findings["baud rate"].do
    assert findings["errors"].status is Status.OK
    assert_harmless(line)


def test_an_unusual_baud_rate_is_not_found():
    line = BenchLine()
    line.charger_baud_rate = 1200
    findings = examine(line)
    assert findings["baud rate"].status is Status.PROBLEM and "firmware" not in findings


def test_silence_is_explained_by_swapped_lines():
    line = BenchLine()
    line.faults.cable_out()
    findings = examine(line)
    assert statuses(findings) == {
        "bytes": Status.PROBLEM, "baud rate": Status.PROBLEM, "lines": Status.PROBLEM, "mode": Status.NOTE,
    }  # fmt: skip
    assert "swapped" in findings["lines"].means and "RDY" in findings["lines"].do


def test_a_dead_wire_to_the_charger():
    line = BenchLine()
    line.charger.receive(b'AT+SUB="+STATE",260\n', line.now)
    line.faults.to_charger.drop = 1.0
    findings = examine(line)
    assert "is heard, but does not answer" in findings["lines"].seen
    assert findings["baud rate"].status is Status.OK and findings["mode"].status is Status.OK


def test_our_own_bytes_that_come_back_are_recognized():
    line = BenchLine()
    line.loopback = True
    findings = examine(line)
    assert "our own bytes come back" in findings["lines"].seen
    assert findings["baud rate"].status is Status.NOTE


def test_log_output_instead_of_at_is_recognized():
    line = BenchLine()
    line.faults.cable_out()
    line._pending = LOG
    findings = examine(line)
    assert findings["mode"].status is Status.PROBLEM and findings["mode"].seen.startswith("log output instead of")
    assert "mode to AT" in findings["mode"].do


def test_echo_is_turned_off():
    line = BenchLine()
    line.faults.echo_on()
    findings = examine(line)
    assert findings["echo"].status is Status.WARNING and "it is off now" in findings["echo"].seen
    assert findings["errors"].status is Status.OK
    assert_harmless(line)


@pytest.mark.parametrize("seed", range(5))
def test_noise_shows_in_the_error_rate(seed):
    line = BenchLine(seed=seed)
    line.faults.flip(0.002)
    findings = examine(line, exchanges=400)
    assert findings["errors"].status is Status.PROBLEM
    assert 0.01 < findings["errors"].data["rate"] < 0.12  # 25 bytes, each with a chance of 0.002, harmless bits apart
    assert applied_writes(line.charger) == []


def test_a_charger_that_starts_meanwhile():
    line = BenchLine(Charger(running=False))
    findings = examine(line)
    assert findings["lines"].status is Status.OK
    assert findings["restarts"].status is not Status.OK
    assert_harmless(line)


class SleepyLine(BenchLine):
    """Its computer sleeps for longer than anybody waits, whenever it has written and looked at the clock."""

    wrote = False

    def write(self, data):
        super().write(data)
        self.wrote = True

    def clock(self):
        now = self.now
        if self.wrote:
            self.wrote, self.now = False, now + 5.0
        return now


def test_an_answer_that_came_while_the_computer_slept_is_not_lost():
    findings = examine(SleepyLine(), exchanges=10)
    assert findings["lines"].status is Status.OK and findings["errors"].data["lost"] == 0


def test_a_restart_is_noticed():
    line = BenchLine()
    charger = line.charger
    charger.answer_hook = lambda request, data, delay: _reboot_once(line, request, data, delay)
    findings = examine(line)
    assert findings["restarts"].status is Status.PROBLEM and findings["restarts"].data["restarts"] == 1


def _reboot_once(line, request, data, delay):
    if request.name == "+STATE":
        line.charger.answer_hook = None
        line.charger._restart_at = line.now
    return data, delay


def test_subscriptions_of_others_are_named_and_left_alone():
    line = BenchLine()
    line.charger.receive(b'AT+SUB="+STATE",260\n', line.now)
    line.charger.receive(b'AT+SUB="+UPTIME",260\n', line.now)
    findings = examine(line)
    assert findings["pushes"].data["subscribed_by_others"] == ["STATE", "UPTIME"]
    assert findings["pushes"].data["name"] == "HEAP"
    assert {entry.name for entry in line.charger.subscriptions} == {"+STATE", "+UPTIME"}


def test_an_interruption_leaves_nothing_behind():
    line = BenchLine()
    it = Doctor(line, clock=line.clock)
    read, armed = line.read, []

    def interrupted(timeout):
        if line.charger.subscriptions and not armed:
            armed.append(True)
            raise KeyboardInterrupt
        return read(timeout)

    line.read = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(it.examine())
    assert line.charger.subscriptions
    it.leave()
    assert_harmless(line)


def test_the_line_garbles_what_has_another_baud_rate():
    data = b"\n+STATE=0\n\nOK\n"
    assert resample(data, 115200, 115200) == data
    assert len(resample(data, 9600, 115200)) > len(data) and resample(data, 9600, 115200) != data
    assert 0 < len(resample(data, 115200, 9600)) < len(data)


def test_over_tcp_only_the_other_end_knows_the_baud_rate():
    line = BenchLine()
    assert "TCP" in examine(line, fixed_rate=True)["baud rate"].seen
    silent = BenchLine()
    silent.faults.cable_out()
    finding = examine(silent, fixed_rate=True)["baud rate"]
    assert finding.data["tried"] == [115200] and "at the other end" in finding.do


class BabblingLine:
    """Whatever hypothesis makes up, in virtual time; a second after every read that found nothing."""

    def __init__(self, data):
        self.data, self.now = data, 0.0

    def clock(self):
        return self.now

    def read(self, timeout):
        piece = self.data.draw(st.binary(max_size=40) | st.sampled_from(WORDS))
        self.now += timeout if not piece else min(timeout, 0.05)
        return piece

    def write(self, data):
        self.now += 0.001

    def flush_input(self):
        pass

    def set_baud_rate(self, baud_rate):
        pass


WORDS = (
    b"",
    b"\nOK\n",
    b"\nERROR\n",
    b"\n+STATE=0\n\nOK\n",
    b'\n+VER="x"\n\nOK\n',
    b"\n\nRDY\n\0",
    b"AT+VER?\n",
    b"+UPTIME=1\n",
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_whatever_comes_there_is_a_diagnosis(data):
    line = BabblingLine(data)
    doctor_ = Doctor(line, clock=line.clock, exchanges=2)
    findings = list(doctor_.examine())
    doctor_.leave()
    assert {"bytes", "baud rate", "lines", "mode"} <= {finding.step for finding in findings}
    assert all(finding.seen for finding in findings)
    assert all(finding.do for finding in findings if finding.status in (Status.WARNING, Status.PROBLEM))
