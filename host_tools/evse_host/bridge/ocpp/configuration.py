"""The configuration of a charge point as one table: keys of OCPP 1.6, and their names as variables of 2.0.1. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import profiles

READ, WRITE, SECRET = "R", "RW", "W"  # a secret is written only
FLAG, NUMBER, LIST, TEXT = "flag", "number", "list", "text"

#: What the charger can measure, in the words of OCPP, and in the unit of ``measurands.UNITS``.
MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Current.Offered",
    "Power.Offered",
    "Temperature",
)
ENERGY = "Energy.Active.Import.Register"
FEATURES = "Core,SmartCharging,RemoteTrigger,LocalAuthListManagement,Reservation"
MAX_LIST, MAX_SEND_LIST, MAX_KEYS = 1000, 500, 60

ACCEPTED, REJECTED, UNKNOWN = "Accepted", "Rejected", "NotSupported"


@dataclass(frozen=True)
class Key:
    """``default`` as OCPP writes it; ``variable`` is `Component.Variable` of 2.0.1, with `#Instance`."""

    name: str
    default: str
    kind: str = NUMBER
    access: str = WRITE
    low: int = 0
    high: int = 2**31 - 1
    variable: str = ""

    def problem(self, value: str) -> str | None:
        """Why the value is not allowed, or None."""
        if self.kind == FLAG:
            return None if value.lower() in ("true", "false") else "true or false"
        if self.kind == NUMBER:
            number = value.strip()
            if not number.isascii() or not number.isdecimal() or not self.low <= int(number[:12]) <= self.high:
                return f"a number from {self.low} to {self.high}"
        if self.kind == LIST:
            wrong = [item for item in items(value) if item not in MEASURANDS]
            return f"{wrong[0][:40]} cannot be measured" if wrong else None
        return None if len(value) <= 500 else "at most 500 characters"


def items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


KEYS = (
    Key("AllowOfflineTxForUnknownId", "false", FLAG, variable="AuthCtrlr.OfflineTxForUnknownIdEnabled"),
    Key("AuthorizationCacheEnabled", "true", FLAG, variable="AuthCacheCtrlr.Enabled"),
    Key("AuthorizationKey", "", TEXT, SECRET, variable="SecurityCtrlr.BasicAuthPassword"),
    Key("AuthorizeRemoteTxRequests", "false", FLAG, variable="AuthCtrlr.AuthorizeRemoteStart"),
    Key("ChargeProfileMaxStackLevel", str(profiles.MAX_STACK_LEVEL), access=READ,
        variable="SmartChargingCtrlr.ProfileStackLevel"),
    Key("ChargingScheduleAllowedChargingRateUnit", "Current,Power", TEXT, READ, variable="SmartChargingCtrlr.RateUnit"),
    Key("ChargingScheduleMaxPeriods", str(profiles.MAX_PERIODS), access=READ,
        variable="SmartChargingCtrlr.PeriodsPerSchedule"),
    Key("ClockAlignedDataInterval", "0", high=86400, variable="AlignedDataCtrlr.Interval"),
    Key("ConnectionTimeOut", "120", low=1, high=86400, variable="TxCtrlr.EVConnectionTimeOut"),
    Key("ConnectorPhaseRotation", "0.RST,1.RST", TEXT),
    Key("ConnectorPhaseRotationMaxLength", "2", access=READ),
    Key("ConnectorSwitch3to1PhaseSupported", "false", FLAG, READ, variable="SmartChargingCtrlr.Phases3to1"),
    Key("CpoName", "", TEXT, variable="SecurityCtrlr.OrganizationName"),
    Key("GetConfigurationMaxKeys", str(MAX_KEYS), access=READ, variable="DeviceDataCtrlr.ItemsPerMessage#GetVariables"),
    Key("HeartbeatInterval", "300", low=1, high=86400, variable="OCPPCommCtrlr.HeartbeatInterval"),
    Key("LocalAuthListEnabled", "true", FLAG, variable="LocalAuthListCtrlr.Enabled"),
    Key("LocalAuthListMaxLength", str(MAX_LIST), access=READ, variable="LocalAuthListCtrlr.Entries"),
    Key("LocalAuthorizeOffline", "true", FLAG, variable="AuthCtrlr.LocalAuthorizeOffline"),
    Key("LocalPreAuthorize", "false", FLAG, variable="AuthCtrlr.LocalPreAuthorize"),
    Key("MaxChargingProfilesInstalled", str(profiles.MAX_PROFILES), access=READ, variable="SmartChargingCtrlr.Entries"),
    Key("MeterValueSampleInterval", "60", high=86400, variable="SampledDataCtrlr.TxUpdatedInterval"),
    Key("MeterValuesAlignedData", ENERGY, LIST, variable="AlignedDataCtrlr.Measurands"),
    Key("MeterValuesAlignedDataMaxLength", str(len(MEASURANDS)), access=READ),
    Key("MeterValuesSampledData", ",".join(MEASURANDS), LIST, variable="SampledDataCtrlr.TxUpdatedMeasurands"),
    Key("MeterValuesSampledDataMaxLength", str(len(MEASURANDS)), access=READ),
    Key("MinimumStatusDuration", "0", high=3600),
    Key("NumberOfConnectors", "1", access=READ),
    Key("ReserveConnectorZeroSupported", "true", FLAG, READ, variable="ReservationCtrlr.NonEvseSpecific"),
    Key("ResetRetries", "1", high=10, variable="OCPPCommCtrlr.ResetRetries"),
    Key("SecurityProfile", "0", high=3, variable="SecurityCtrlr.SecurityProfile"),
    Key("SendLocalListMaxLength", str(MAX_SEND_LIST), access=READ, variable="LocalAuthListCtrlr.ItemsPerMessage"),
    Key("StopTransactionOnEVSideDisconnect", "true", FLAG, READ, variable="TxCtrlr.StopTxOnEVSideDisconnect"),
    Key("StopTransactionOnInvalidId", "true", FLAG, variable="TxCtrlr.StopTxOnInvalidId"),
    Key("StopTxnAlignedData", "", LIST, variable="AlignedDataCtrlr.TxEndedMeasurands"),
    Key("StopTxnAlignedDataMaxLength", str(len(MEASURANDS)), access=READ),
    Key("StopTxnSampledData", "", LIST, variable="SampledDataCtrlr.TxEndedMeasurands"),
    Key("StopTxnSampledDataMaxLength", str(len(MEASURANDS)), access=READ),
    Key("SupportedFeatureProfiles", FEATURES, TEXT, READ),
    Key("SupportedFeatureProfilesMaxLength", str(len(items(FEATURES))), access=READ),
    Key("TransactionMessageAttempts", "3", low=1, high=100,
        variable="OCPPCommCtrlr.MessageAttempts#TransactionEvent"),
    Key("TransactionMessageRetryInterval", "60", low=1, high=86400,
        variable="OCPPCommCtrlr.MessageAttemptInterval#TransactionEvent"),
    Key("UnlockConnectorOnEVSideDisconnect", "true", FLAG, READ, variable="OCPPCommCtrlr.UnlockOnEVSideDisconnect"),
    Key("WebSocketPingInterval", "30", high=3600, variable="OCPPCommCtrlr.WebSocketPingInterval"),
)  # fmt: skip
BY_NAME = {key.name.lower(): key for key in KEYS}  # OCPP: names are case-insensitive
BY_VARIABLE = {key.variable.lower(): key for key in KEYS if key.variable}

#: A change that somebody else has to agree to: returns what the answer is.
Judge = Callable[[str], str]


class Configuration:
    """``saved`` are the values that were set; ``judges`` decide on keys that need more than the table; ``measurands``
    are those that the version has."""

    def __init__(
        self,
        saved: Mapping[str, str] | None = None,
        judges: Mapping[str, Judge] | None = None,
        measurands: Sequence[str] = MEASURANDS,
    ) -> None:
        self._measurands = measurands
        self.values: dict[str, str] = {
            name: value
            for name, value in (saved or {}).items()
            if (key := BY_NAME.get(name.lower())) and key.access != SECRET and key.problem(value) is None
        }
        self._judges = dict(judges or {})

    def text(self, name: str) -> str:
        key = BY_NAME[name.lower()]
        value = self.values.get(key.name, key.default)
        if key.kind != LIST:
            return value
        return ",".join(item for item in items(value) if item in self._measurands)

    def number(self, name: str) -> int:
        return int(self.text(name))

    def flag(self, name: str) -> bool:
        return self.text(name).lower() == "true"

    def list(self, name: str) -> list[str]:
        return items(self.text(name))

    def set(self, name: str, value: str) -> str:
        """`Accepted`, `Rejected`, `NotSupported` (1.6's word for an unknown key), or what a judge says."""
        key = BY_NAME.get(name.lower())
        if key is None:
            return UNKNOWN
        if key.access == READ or key.problem(value) is not None:
            return REJECTED
        if key.kind == LIST and not set(items(value)) <= set(self._measurands):
            return REJECTED
        judge = self._judges.get(key.name)
        answer = judge(value) if judge else ACCEPTED
        if answer == ACCEPTED and key.access != SECRET:
            self.values[key.name] = ",".join(items(value)) if key.kind == LIST else value.strip()
        return answer
