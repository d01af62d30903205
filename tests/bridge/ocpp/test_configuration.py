"""Configuration keys, the local list and the cache."""

from __future__ import annotations

import pytest

from evse_host.bridge.ocpp import configuration as c
from evse_host.bridge.ocpp.authorization import Authorization, TagInfo

OK = TagInfo("Accepted")

#: OCPP 1.6, chapter 9: what every charge point with our profiles must have.
REQUIRED = [
    "AuthorizeRemoteTxRequests",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "ConnectorPhaseRotation",
    "GetConfigurationMaxKeys",
    "HeartbeatInterval",
    "LocalAuthorizeOffline",
    "LocalPreAuthorize",
    "MeterValuesAlignedData",
    "MeterValuesSampledData",
    "MeterValueSampleInterval",
    "NumberOfConnectors",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "StopTransactionOnInvalidId",
    "StopTxnAlignedData",
    "StopTxnSampledData",
    "SupportedFeatureProfiles",
    "TransactionMessageAttempts",
    "TransactionMessageRetryInterval",
    "UnlockConnectorOnEVSideDisconnect",
    "LocalAuthListEnabled",
    "LocalAuthListMaxLength",
    "SendLocalListMaxLength",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "MaxChargingProfilesInstalled",
]


def test_every_key_that_the_standard_requires_is_there():
    assert {name.lower() for name in REQUIRED} <= set(c.BY_NAME)


def test_defaults_are_allowed_values():
    assert [key.name for key in c.KEYS if key.problem(key.default) is not None] == []


@pytest.mark.parametrize(("name", "value", "answer"), [
    ("HeartbeatInterval", "60", "Accepted"), ("heartbeatinterval", "60", "Accepted"),
    ("HeartbeatInterval", "0", "Rejected"), ("HeartbeatInterval", "-1", "Rejected"),
    ("HeartbeatInterval", "6 0", "Rejected"), ("HeartbeatInterval", "9" * 40, "Rejected"),
    ("HeartbeatInterval", "٣", "Rejected"), ("HeartbeatInterval", "", "Rejected"),
    ("LocalPreAuthorize", "TRUE", "Accepted"), ("LocalPreAuthorize", "1", "Rejected"),
    ("NumberOfConnectors", "2", "Rejected"), ("NoSuchKey", "1", "NotSupported"),
    ("MeterValuesSampledData", "Voltage, Current.Import", "Accepted"), ("MeterValuesSampledData", "", "Accepted"),
    ("MeterValuesSampledData", "Voltage,SoC", "Rejected"),
])  # fmt: skip
def test_a_change_of_configuration_is_accepted_refused_or_unknown(name, value, answer):
    assert c.Configuration().set(name, value) == answer


def test_a_secret_is_never_kept_nor_read_here():
    configuration = c.Configuration(judges={"AuthorizationKey": lambda _: "Accepted"})
    assert configuration.set("AuthorizationKey", "0123456789abcdef") == "Accepted"
    assert "0123456789abcdef" not in configuration.values.values()


def test_what_was_saved_by_another_version_and_is_wrong_now_is_forgotten():
    configuration = c.Configuration({"HeartbeatInterval": "77", "Gone": "1", "LocalPreAuthorize": "maybe"})
    assert configuration.values == {"HeartbeatInterval": "77"}


# --- tags -------------------------------------------------------------------------------------------------------------


def known(auth: Authorization, tag: str, moment: float = 0.0) -> str | None:
    info = auth.known(tag, moment, True, True)
    return info and info.status


def test_the_list_counts_before_the_cache_and_case_does_not_count():
    auth = Authorization()
    auth.learn("Tag", OK)
    assert known(auth, "TAG") == "Accepted"
    assert auth.update(1, True, [("tAg", TagInfo("Blocked"))]) == "Accepted"
    assert known(auth, "tag") == "Blocked"


def test_a_tag_is_accepted_until_the_moment_it_expires():
    auth = Authorization()
    auth.learn("A", TagInfo("Accepted", expiry=100.0))
    assert (known(auth, "A", 99), known(auth, "A", 100)) == ("Accepted", "Expired")


def test_a_differential_update_adds_changes_and_removes():
    auth = Authorization()
    auth.update(1, True, [("A", OK), ("B", OK)])
    assert auth.update(2, False, [("A", None), ("B", TagInfo("Blocked")), ("C", OK)]) == "Accepted"
    assert [known(auth, tag) for tag in "ABC"] == [None, "Blocked", "Accepted"]
    assert auth.update(2, False, [("D", OK)]) == "VersionMismatch" and known(auth, "D") is None


@pytest.mark.parametrize("entries", [
    [("A", OK), ("a", OK)], [("A", None)], [(str(number), OK) for number in range(c.MAX_SEND_LIST + 1)],
])  # fmt: skip
def test_a_wrong_update_changes_nothing(entries):
    auth = Authorization()
    auth.update(1, True, [("Z", OK)])
    assert auth.update(2, True, entries) == "Failed"
    assert auth.version == 1 and known(auth, "Z") == "Accepted"


def test_the_cache_is_bounded_and_all_is_saved():
    auth = Authorization()
    for number in range(1500):
        auth.learn(str(number), OK)
    again = Authorization(auth.as_dict())
    assert known(again, "1499") == "Accepted" and known(again, "0") is None
    again.clear_cache()
    assert known(again, "1499") is None
