"""The charge point in the words of OCPP 1.6J. Pure: texts of calls to the model and back."""

from __future__ import annotations

from . import configuration as conf
from . import outbox as out
from . import profiles as calc
from . import rpc
from .authorization import TagInfo
from .journal import METER, START, STOP
from .model import ChargePoint
from .outbox import Outgoing
from .rpc import moment, optional_moment, stamp
from .shared_words import MAX_SCHEDULE_S, SharedWords, accepted
from .situation import MODEL, VENDOR
from .status import CONNECTOR, STATION

VERSION, SUBPROTOCOL = "1.6", "ocpp1.6"
CONNECTORS = (STATION, CONNECTOR)
UNKNOWN_TRANSACTION = -1  # its begin was given up: the central system has no number for it

#: Of the standard, and not for this charge point: no firmware and no files go over a serial line.
NOT_SUPPORTED = (
    "UpdateFirmware", "GetDiagnostics", "SignedUpdateFirmware", "GetLog", "InstallCertificate", "DeleteCertificate",
    "GetInstalledCertificateIds", "CertificateSigned", "ExtendedTriggerMessage", "Authorize", "BootNotification",
    "DiagnosticsStatusNotification", "FirmwareStatusNotification", "Heartbeat", "MeterValues", "StartTransaction",
    "StatusNotification", "StopTransaction", "SecurityEventNotification", "SignCertificate", "LogStatusNotification",
    "SignedFirmwareStatusNotification",
)  # fmt: skip

#: The answer where there is no such connector; otherwise it is `Rejected`.
_NO_CONNECTOR = {"ClearChargingProfile": "Unknown", "UnlockConnector": "NotSupported"}


class V16(SharedWords):
    """``answered`` and ``called`` bring what the central system sends."""

    version, subprotocol = VERSION, SUBPROTOCOL
    measurands = conf.MEASURANDS
    updates = False  # 1.6 tells no change within a transaction but by status
    unknown_id = ""  # of the answer to what shows no id: 1.6 has none

    def __init__(self, point: ChargePoint) -> None:
        super().__init__(point)
        self._actions: dict[str, rpc.Action] = {
            "CancelReservation": self._cancel_reservation,
            "ChangeAvailability": self._change_availability,
            "ChangeConfiguration": self._change_configuration,
            "ClearCache": self._clear_cache,
            "ClearChargingProfile": self._clear_charging_profile,
            "DataTransfer": self._data_transfer,
            "GetCompositeSchedule": self._get_composite_schedule,
            "GetConfiguration": self._get_configuration,
            "GetLocalListVersion": self._get_local_list_version,
            "RemoteStartTransaction": self._remote_start,
            "RemoteStopTransaction": self._remote_stop,
            "ReserveNow": self._reserve_now,
            "Reset": self._reset,
            "SendLocalList": self._send_local_list,
            "SetChargingProfile": self._set_charging_profile,
            "TriggerMessage": self._trigger_message,
            "UnlockConnector": self._unlock_connector,
        }

    # === what we say ==================================================================================================

    def _tell(self, outgoing: Outgoing) -> tuple[str, rpc.Payload] | None:
        data, kind = outgoing.data, outgoing.kind
        if kind == out.STATUS:
            return "StatusNotification", _status(data)
        if kind == out.METER_NOW:
            return "MeterValues", {"connectorId": CONNECTOR, "meterValue": [_meter_value(data)]}
        if kind == START:
            return "StartTransaction", rpc.without_none({
                "connectorId": CONNECTOR, "idTag": data["tag"][:20], "meterStart": data["meter"],
                "timestamp": stamp(data["at"]), "reservationId": data["reservation"],
            })  # fmt: skip
        if kind == METER:
            return "MeterValues", {"connectorId": CONNECTOR, "transactionId": self._number(outgoing),
                                   "meterValue": [_meter_value(data)]}  # fmt: skip
        if kind == STOP:
            return "StopTransaction", rpc.without_none({
                "transactionId": self._number(outgoing), "meterStop": data["meter"], "timestamp": stamp(data["at"]),
                "reason": data["reason"], "idTag": data["tag"],
                "transactionData": [_meter_value(values) for values in data["data"]] or None,
            })  # fmt: skip
        return None

    def _boot(self) -> rpc.Payload:
        identity = self.point.identity
        return rpc.without_none({
            "chargePointVendor": identity.get("vendor", VENDOR), "chargePointModel": identity.get("model", MODEL),
            "chargePointSerialNumber": identity.get("serial"), "firmwareVersion": identity.get("firmware"),
        })  # fmt: skip

    def _authorize(self, tag: str) -> rpc.Payload:
        return {"idTag": tag[:20]}

    def _number(self, outgoing: Outgoing) -> int:
        remote = self.point.journal.transaction(outgoing.of_transaction.transaction_id).remote
        return UNKNOWN_TRANSACTION if remote is None else int(remote)

    # === what the central system answers ==============================================================================

    def answered(self, outgoing: Outgoing, payload: rpc.Payload, now: float) -> None:
        """Raises KeyError, TypeError, ValueError or CallError where the answer is none."""
        kind, point = outgoing.kind, self.point
        if kind == out.BOOT:
            point.booted(rpc.word(payload["status"], (out.ACCEPTED, out.PENDING, out.REJECTED)),
                         rpc.integer(payload["interval"]), now)  # fmt: skip
        elif kind == out.AUTHORIZE:
            point.authorized(outgoing.data, _tag_info(payload["idTagInfo"]), now)
        elif kind == START:
            number, info = rpc.integer(payload["transactionId"]), _tag_info(payload["idTagInfo"])
            point.started(outgoing.of_transaction, str(number), info, now)
        elif outgoing.message is not None:
            point.told(outgoing.message, now)

    # === what the central system asks for =============================================================================

    def called(self, call: rpc.Call, now: float) -> rpc.Payload:
        """The payload of the answer. Raises CallError."""
        action = rpc.action_of(call, self._actions, NOT_SUPPORTED)
        payload = rpc.check_call(call, VERSION)
        if payload.get("connectorId", 0) not in CONNECTORS:
            return {"status": _NO_CONNECTOR.get(call.action, "Rejected")}
        return action(payload, now)

    def _change_availability(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        operative = payload["type"] == "Operative"
        return {"status": self.point.set_availability(payload["connectorId"], operative, now)}

    def _change_configuration(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return {"status": self.point.configure(payload["key"], payload["value"], now)}

    def _clear_charging_profile(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        found = self.point.clear_profiles(
            now, id=payload.get("id"), connector=payload.get("connectorId"),
            purpose=payload.get("chargingProfilePurpose"), stack_level=payload.get("stackLevel"),
        )  # fmt: skip
        return {"status": "Accepted" if found else "Unknown"}

    def _get_composite_schedule(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        unit, duration = payload.get("chargingRateUnit", calc.AMPERE), payload["duration"]
        if not 0 < duration <= MAX_SCHEDULE_S:
            return {"status": "Rejected"}
        return {
            "status": "Accepted", "connectorId": payload["connectorId"], "scheduleStart": stamp(now),
            "chargingSchedule": {
                "duration": duration, "startSchedule": stamp(now), "chargingRateUnit": unit,
                "chargingSchedulePeriod": self._periods(duration, unit, now),
            },
        }  # fmt: skip

    def _get_configuration(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        configuration, wanted = self.point.configuration, payload.get("key") or []
        known = [conf.BY_NAME[name.lower()] for name in wanted if name.lower() in conf.BY_NAME]
        unknown = [name for name in wanted if name.lower() not in conf.BY_NAME]
        keys = [_key(configuration, key) for key in (known if wanted else conf.KEYS) if key.access != conf.SECRET]
        return {"configurationKey": keys, "unknownKey": unknown} if unknown else {"configurationKey": keys}

    def _get_local_list_version(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        enabled = self.point.configuration.flag("LocalAuthListEnabled")
        return {"listVersion": self.point.authorization.version if enabled else -1}

    def _remote_start(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if payload.get("connectorId") == STATION:
            return {"status": "Rejected"}
        profile = payload.get("chargingProfile")
        if profile is not None:
            profile = _profile(profile, CONNECTOR, now)
            if profile.purpose != calc.TX or profile.transaction is not None or calc.problem(profile):
                return {"status": "Rejected"}
        return accepted(self.point.remote_start(payload["idTag"], now, profile))

    def _remote_stop(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return accepted(self.point.remote_stop(str(payload["transactionId"]), now))

    def _reserve_now(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        reservation = {
            "id": payload["reservationId"], "tag": payload["idTag"], "parent": payload.get("parentIdTag"),
            "expiry": moment(payload["expiryDate"]), "connector": payload["connectorId"],
        }  # fmt: skip
        return {"status": self.point.reserve(reservation, now)}

    def _reset(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return accepted(self.point.reset(f"{payload['type']}Reset", now))

    def _send_local_list(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if not self.point.configuration.flag("LocalAuthListEnabled"):
            return {"status": "NotSupported"}
        entries = [
            (entry["idTag"], _tag_info(entry["idTagInfo"]) if "idTagInfo" in entry else None)
            for entry in payload.get("localAuthorizationList", [])
        ]
        full = payload["updateType"] == "Full"
        status = self.point.authorization.update(payload["listVersion"], full, entries)
        self.point.save_authorization()
        return {"status": status}

    def _set_charging_profile(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        profile = _profile(payload["csChargingProfiles"], payload["connectorId"], now)
        transaction = self.point.transaction
        if profile.purpose == calc.TX and (
            transaction is None or profile.transaction not in (None, transaction.remote)
        ):
            return {"status": "Rejected"}
        return accepted(self.point.install_profile(profile, now) is None)

    def _trigger_message(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        wanted, connector = payload["requestedMessage"], payload.get("connectorId")
        if wanted == "BootNotification":
            self.point.outbox.boot_again()
        elif wanted == "Heartbeat":
            self.point.outbox.ask(out.HEARTBEAT, triggered=True)
        elif wanted == "StatusNotification":
            self.point.trigger_status(connector, now)
        elif wanted == "MeterValues":
            if not self.point.snapshot.online:
                return {"status": "Rejected"}
            self.point.trigger_values(now)
        else:
            return {"status": "NotImplemented"}
        return {"status": "Accepted"}

    def _unlock_connector(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if payload["connectorId"] == STATION:
            return {"status": "NotSupported"}
        has_socket = self.point.snapshot.get("SOCKETOUTLET") == 1
        return {"status": "UnlockFailed" if has_socket else "NotSupported"}


# --- words ------------------------------------------------------------------------------------------------------------


def _tag_info(info: rpc.Payload) -> TagInfo:
    allowed = ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")
    return TagInfo(rpc.word(info["status"], allowed), optional_moment(info.get("expiryDate")), info.get("parentIdTag"))


def _key(configuration: conf.Configuration, key: conf.Key) -> rpc.Payload:
    return {"key": key.name, "readonly": key.access == conf.READ, "value": configuration.text(key.name)[:500]}


def _status(data: rpc.Payload) -> rpc.Payload:
    return rpc.without_none({
        "connectorId": data["connector"], "errorCode": data["error"], "status": data["status"],
        "info": data["info"] or None, "timestamp": stamp(data["at"]),
        "vendorId": "esp32-evse" if data["info"] else None, "vendorErrorCode": data["info"] or None,
    })  # fmt: skip


def _meter_value(values: rpc.Payload) -> rpc.Payload:
    return {
        "timestamp": stamp(values["at"]),
        "sampledValue": [
            {**value, "value": f"{value['value']:g}" if isinstance(value["value"], float) else str(value["value"]),
             "context": values["context"]}
            for value in values["sample"]
        ],
    }  # fmt: skip


def _profile(profile: rpc.Payload, connector: int, now: float) -> calc.Profile:
    schedule = profile["chargingSchedule"]
    transaction = profile.get("transactionId")
    return calc.Profile(
        id=profile["chargingProfileId"], stack_level=profile["stackLevel"], purpose=profile["chargingProfilePurpose"],
        kind=profile["chargingProfileKind"], unit=schedule["chargingRateUnit"], connector=connector, received=now,
        periods=tuple(
            calc.Period(period["startPeriod"], period["limit"], period.get("numberPhases"))
            for period in schedule["chargingSchedulePeriod"]
        ),
        begin=optional_moment(schedule.get("startSchedule")), duration=schedule.get("duration"),
        recurrency=profile.get("recurrencyKind"), valid_from=optional_moment(profile.get("validFrom")),
        valid_to=optional_moment(profile.get("validTo")), transaction=None if transaction is None else str(transaction),
    )  # fmt: skip
