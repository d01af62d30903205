"""Lines, forms, names and arguments, to the byte."""

import pytest

from evse_host.catalog import COMMANDS


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"AT\n", b"\nOK\n"),
        (b"AT+STATE?\n", b"\n+STATE=0\n\nOK\n"),
        (b"AT+STATE?\r\n", b"\r\n+STATE=0\r\n\r\nOK\r\n"),
        (b"AT+STATE?\r", b"\r\n+STATE=0\r\n\r\nOK\r\n"),
        (b"at+state?\n", b"\n+STATE=0\n\nOK\n"),
        (b"AT+CHIP=?\n", b"\n+CHIP=<STRING[RO]>,<UINT8[RO]>,<UINT16[RO]>\n\nOK\n"),
        (b"AT+WIFISTACFG=?\n", b"\n+WIFISTACFG=<UINT8[RW]>,<STRING[RW]>,<STRING[WO]>\n\nOK\n"),
        (b"AT+WIFIAPCFG=?\n", b"\n+WIFIAPCFG=<UINT8[RW]>,<STRING[RO]>\n\nOK\n"),
        (b"AT+SUB=?\n", b"\n+SUB=<STRING[WO]>,<UINT32[WO]>\n\nOK\n"),
        (b"AT+TEMP=?\n", b"\n+TEMP=<UINT8[RO]>,<INT32[RO]>,<INT32[RO]>\n\nOK\n"),
        (b"AT+EMETERTOTCONSUM=?\n", b"\n+EMETERTOTCONSUM=<UINT64[RW]>\n\nOK\n"),
        (b"AT+AUXOUTPUTS=?\n", b"\n+AUXOUTPUTS=<STRING[RO]>\n\nOK\n"),
        (b"AT+RST=?\n", b"\nERROR\n"),
        (b"AT+WIFIAPSCAN=?\n", b"\nERROR\n"),
        (b"AT+CHIP=?x\n", b"\nERROR\n"),
        (b"AT+AUXOUTPUTS?\n", b'\n+AUXOUPUTS="OUT1"\n\n+AUXOUPUTS="OUT2"\n\nOK\n'),
        (b"AT+STATE\n", b"\nERROR\n"),
        (b"AT+STATE=1\n", b"\nERROR\n"),
        (b"AT+RST?\n", b"\nERROR\n"),
        (b"AT+SUB?\n", b"\nERROR\n"),
        (b"AT+AUTH=1\n", b"\nERROR\n"),
        (b"AT+NOSUCH?\n", b"\nERROR\n"),
        (b"AT+NOSUCH=1\n", b"\nERROR\n"),
        (b"AT?\n", b"\nERROR\n"),
        (b"AT+STATE?x\n", b"\nERROR\n"),
        (b"A\n", b"\nERROR\n"),
        (b"\n\r\n", b""),
        (b"~\n", b"\nERROR\n"),
        (b"\0AT+STATE?\n", b"\nERROR\n"),
        (b" AT+STATE?\n", b"\nERROR\n"),
        (b"\xff\xfeAT+ENABLE=0\n", b"\nERROR\n"),
        (b"AT+STATE?\nAT+ENABLE?\n", b"\n+STATE=0\n\nOK\n\n+ENABLE=1\n\nOK\n"),
    ],
)
def test_answers_to_the_byte(bench, sent, answer):
    assert bench.send(sent) == answer


@pytest.mark.parametrize("pending", ["", "A", "AT", "AT+CHC", "AT+CHCUR", "AT+CHCUR?", "AT+CHCUR=", "AT+CHCUR=7", "x",
                                     "AT+CHCUR=70", 'AT+HOSTNAME="a', 'AT+HOSTNAME="a"', "AT+NOSUCH=1"])  # fmt: skip
def test_tilde_makes_one_error_from_any_state_and_executes_nothing(bench, pending):
    assert bench.send(pending) == b""
    assert bench.send(b"~\n") == b"\nERROR\n"
    assert bench.read("CHCUR") == "320" and bench.read("HOSTNAME") == '"evse"'


def test_a_bare_line_end_executes_what_is_pending(bench):
    assert bench.send(b"AT+ENABLE=0") == b""
    bench.run(10)
    assert bench.send(b"\n") == b"\nOK\n"
    assert bench.charger.value("ENABLE") == (0,)


def test_any_unambiguous_prefix_is_executed(bench):
    bench.charger.set("ENABLE", 0)
    assert bench.send(b"AT+EN=1\n") == b"\nOK\n"
    assert bench.charger.value("ENABLE") == (1,)
    assert bench.send(b"AT+STA?\n") == b"\n+STATE=0\n\nOK\n"
    assert [violation.kind for violation in bench.charger.journal.violations] == ["abbreviation"] * 2


def test_a_whole_name_wins_over_longer_ones(bench):
    assert bench.send(b"AT+TEMP?\n") == b"\n+TEMP=2,3150,2875\n\nOK\n"
    assert bench.send(b"AT+EMETER?\n") == b"\n+EMETER=2,1\n\nOK\n"
    assert bench.charger.journal.violations == []


def test_an_ambiguous_read_fails_once_and_a_write_twice(bench):
    assert bench.send(b"AT+EMETERC?\n") == b"\nERROR\n"
    assert bench.send(b"AT+EMETERC=") == b"\nERROR\n"
    assert bench.send(b"1\n") == b"\nERROR\n"
    assert bench.send(b"AT+EMETERC=1\n") == b"\nERROR\n\nERROR\n"


@pytest.mark.parametrize(
    ("written", "errors"),
    [("A", 1), ("AUX", 1), ("AU", 1), ("EMETERC", 2), ("E", 2), ("SER", 2), ("UNDER", 0), ("NOSUCH", 1), ("AV", 0)],
)
def test_an_ambiguous_write_fails_once_where_the_last_candidate_ends_the_table(new_bench, firmware, written, errors):
    bench = new_bench(firmware=firmware)
    answer = bench.send(f"AT+{written}=0\n".encode())
    assert answer == (b"\nERROR\n" * errors or b"\nOK\n")
    assert bench.send(b"AT+STATE?\n") == b"\n+STATE=0\n\nOK\n"


def test_after_an_ambiguous_name_that_ends_the_table_a_carriage_return_swallows_the_next_line(bench):
    assert bench.send(b"AT+AUX\r") == b""
    assert bench.send(b"AT+STATE?\r") == b"\r\nERROR\r\n"
    assert bench.send(b"AT+EMETERC\r") == b"\r\nERROR\r\n"


def test_after_an_unknown_name_a_carriage_return_swallows_the_next_line(bench):
    assert bench.send(b"AT+NOSUCH\r") == b""
    assert bench.send(b"AT+STATE?\r") == b"\r\nERROR\r\n"
    assert bench.send(b"AT+NOSUCH\r\n") == b"\r\nERROR\r\n"
    assert bench.send(b"AT+STATE?\n") == b"\n+STATE=0\n\nOK\n"


def test_echo_repeats_every_byte_until_it_is_switched_off(bench):
    assert bench.send(b"ATE1\n") == b"\nOK\n"
    assert bench.send(b"AT+STATE?\n") == b"AT+STATE?\n\n+STATE=0\n\nOK\n"
    assert bench.send(b"at") == b"at"
    assert bench.send(b"e0\n") == b"e0\n\nOK\n"
    assert bench.send(b"AT\n") == b"\nOK\n"


def test_echo_is_ambiguous_without_its_digit(bench):
    assert bench.send(b"ATE\n") == b"\nERROR\n"


def test_a_push_may_stand_between_the_pieces_of_a_command(bench):
    bench.send(b"ATE1\n")
    bench.send(b'AT+SUB="+ERROR",100\n')
    bench.run(0.3)
    assert bench.send(b"AT+STA", 0.27) == b"AT+STA\n+ERROR=0\n"
    assert bench.send(b"TE?\n", 0.01) == b"TE?\n\n+STATE=0\n\nOK\n"


def test_argument_bytes_are_limited_to_127(bench):
    number = "60".rjust(127, "0")
    assert bench.write("CHCUR", number) == "OK"
    assert bench.write("CHCUR", "0" + number) == "ERROR"
    assert bench.send(b"AT+CHCUR=" + b"1" * 5000 + b"\n", 2.0) == b"\nERROR\n"
    assert bench.read("CHCUR") == "60"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('"%s"' % ("x" * 31), "OK"),
        ('"%s"' % ("x" * 32), "ERROR"),
        ('"%s"' % ("é" * 15), "OK"),
        ('"%s"' % ("é" * 16), "ERROR"),
        ("x", "ERROR"),
        ('"x', "ERROR"),
        ('"x"y', "ERROR"),
        ('""', "ERROR"),  # a name is not empty
        (r'"a\\b\"c\n"', "OK"),
        (r'"a\tb"', "ERROR"),
        ('"a,b"', "OK"),
        ('"why?"', "OK"),
    ],
)
def test_a_string_is_taken_or_refused_whole(bench, text, result):
    assert bench.write("INSTNAME", text) == result
    assert bench.read("INSTNAME") == (text if result == "OK" else '"Simulated EVSE"')


@pytest.mark.parametrize(
    ("argument", "result"),
    [("0060", "OK"), ("", "ERROR"), ("+60", "ERROR"), ("-60", "ERROR"), (" 60", "ERROR"), ("60 ", "ERROR"),
     ("0x40", "ERROR"), ("60.0", "ERROR"), ("59", "ERROR"), ("320", "OK"), ("321", "ERROR"), ("65536", "ERROR"),
     ("65596", "ERROR"), (str(2**64 + 60), "OK")],
)  # fmt: skip
def test_a_number_is_taken_or_refused_whole(bench, argument, result):
    bench.charger.set("CHCUR", 100)
    assert bench.write("CHCUR", argument) == result
    assert bench.read("CHCUR") == ("100" if result == "ERROR" else str(int(argument) % 2**64))


def test_64_bits_overflow_unseen(bench):
    assert bench.write("EMETERTOTCONSUM", 2**64) == "OK"
    assert bench.read("EMETERTOTCONSUM") == "0"
    assert bench.write("TIME", 2**64 + 5) == "OK"
    assert bench.read("TIME") == "5"


@pytest.mark.parametrize("arguments", ["60,junk", "60,", "60,70"])
def test_an_error_can_follow_an_applied_value(bench, arguments):
    assert bench.write("CHCUR", arguments) == "ERROR"
    assert bench.read("CHCUR") == "60"


def test_commands_of_several_values_are_applied_as_a_whole(bench):
    assert bench.write("WIFISTACFG", '0,"other","secret",junk') == "ERROR"
    assert bench.write("WIFISTACFG", '0,"other",junk') == "ERROR"
    assert bench.write("EMETERTOTCONSUM", "0,junk") == "ERROR"
    assert bench.read("WIFISTACFG") == '1,"home",""'
    assert bench.read("EMETERTOTCONSUM") == "1234567"


def test_a_nul_in_the_arguments_ends_them(bench):
    assert bench.send(b"AT+CHCUR=70\x00junk\n") == b"\nOK\n"
    assert bench.read("CHCUR") == "70"


def test_an_answer_line_that_is_too_long_is_an_error(bench):
    bench.charger.override("BUILDTIME", '"' * 31, '"' * 30)
    assert bench.ask("AT+BUILDTIME?") == ["ERROR"]
    bench.charger.override("BUILDTIME", "x" * 31, "y" * 31)
    assert bench.read("BUILDTIME") == '"' + "x" * 31 + '","' + "y" * 31 + '"'


def test_listing_has_every_form_of_every_command(bench):
    listing = bench.send(b"AT+CMD\n", 1.0)
    assert 2250 <= len(listing) <= 2350  # 2.3 kB
    assert len(listing.split()) == 157
    assert listing.split()[-2] == b"AT+AUXANALOGINPUTS=?"
    assert b"\nATE0\n\nATE1\n" in listing
    assert b"\nAT+CHCUR?\nAT+CHCUR=\nAT+CHCUR=?\n" in listing
    assert b"\nAT+RST\n\n" in listing and b"\nAT+SUB=\nAT+SUB=?\n" in listing
    assert listing.endswith(b"\n\nOK\n")
    for command in COMMANDS:
        assert f"\nAT+{command.name}".encode() in listing


def test_every_readable_command_answers_its_fields(bench):
    for command in (command for command in COMMANDS if "R" in command.access):
        lines = bench.ask(f"AT+{command.name}?")
        assert lines[-1] == "OK", command.name
        assert all(line.startswith(f"+{command.answer_name}=") for line in lines[:-1]), command.name
        assert len(lines) == 2 or command.lines, command.name
