"""The charge point in the words of OCPP 2.0.1, its core, on the same model. Pure."""

from __future__ import annotations

from . import configuration as conf
from . import outbox as out
from . import profiles as calc
from . import rpc
from .authorization import TagInfo
from .guests import DEFAULT_TAG
from .journal import METER, START, STOP, UPDATE
from .model import DEAUTHORIZED, REMOTE, ChargePoint
from .outbox import Outgoing
from .rpc import moment, optional_moment, stamp
from .shared_words import MAX_SCHEDULE_S, SharedWords, accepted
from .situation import MODEL, VENDOR
from .status import CONNECTOR, STATION
from .transactions import BEGIN, END, EV_DISCONNECTED, LOCAL, POWER_LOSS
from .values import CLOCK, PERIODIC, TRIGGER

VERSION, SUBPROTOCOL = "2.0.1", "ocpp2.0.1"
EVSE = {"id": 1, "connectorId": 1}
PER_REPORT = 20
MAX_TYPES = 100

#: Of the standard, and not for this charge point.
NOT_SUPPORTED = (
    "CertificateSigned", "ClearDisplayMessage", "ClearVariableMonitoring", "CostUpdated", "CustomerInformation",
    "DeleteCertificate", "GetChargingProfiles", "GetDisplayMessages", "GetInstalledCertificateIds", "GetLog",
    "GetMonitoringReport", "GetReport", "InstallCertificate", "PublishFirmware", "SetDisplayMessage",
    "SetMonitoringBase", "SetMonitoringLevel", "SetNetworkProfile", "SetVariableMonitoring", "UnpublishFirmware",
    "UpdateFirmware", "Authorize", "BootNotification", "Heartbeat", "MeterValues", "NotifyReport",
    "StatusNotification", "TransactionEvent",
)  # fmt: skip

_CONNECTOR_STATUS = {"Preparing": "Occupied", "Charging": "Occupied", "SuspendedEV": "Occupied",
                     "SuspendedEVSE": "Occupied", "Finishing": "Occupied"}  # fmt: skip
#: What ended a transaction: (trigger, reason of the stop).
_ENDS = {
    EV_DISCONNECTED: ("EVDeparted", "EVDisconnected"), REMOTE: ("RemoteStop", "Remote"),
    POWER_LOSS: ("AbnormalCondition", "PowerLoss"), DEAUTHORIZED: ("Deauthorized", "DeAuthorized"),
    LOCAL: ("StopAuthorized", "Local"), "ImmediateReset": ("ResetCommand", "ImmediateReset"),
}  # fmt: skip
_SAMPLES = {PERIODIC: "MeterValuePeriodic", CLOCK: "MeterValueClock", TRIGGER: "Trigger"}
_PURPOSES = {"ChargingStationMaxProfile": calc.STATION_MAX, calc.TX_DEFAULT: calc.TX_DEFAULT, calc.TX: calc.TX}
_STATUSES = ("Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid")
_DATA_TYPES = {conf.FLAG: "boolean", conf.NUMBER: "integer", conf.LIST: "MemberList", conf.TEXT: "string"}
_MUTABILITY = {conf.READ: "ReadOnly", conf.WRITE: "ReadWrite", conf.SECRET: "WriteOnly"}


class V201(SharedWords):
    """As V16: ``say``, ``answered`` and ``called``."""

    version, subprotocol, updates = VERSION, SUBPROTOCOL, True
    measurands = tuple(name for name in conf.MEASURANDS if name != "Temperature")  # 2.0.1 has it elsewhere
    unknown_id = "-1"

    def __init__(self, point: ChargePoint) -> None:
        super().__init__(point)
        self._reason = "PowerUp"  # of the next boot
        self._actions: dict[str, rpc.Action] = {
            "CancelReservation": self._cancel_reservation,
            "ChangeAvailability": self._change_availability,
            "ClearCache": self._clear_cache,
            "ClearChargingProfile": self._clear_charging_profile,
            "DataTransfer": self._data_transfer,
            "GetBaseReport": self._get_base_report,
            "GetCompositeSchedule": self._get_composite_schedule,
            "GetLocalListVersion": self._get_local_list_version,
            "GetTransactionStatus": self._get_transaction_status,
            "GetVariables": self._get_variables,
            "RequestStartTransaction": self._request_start,
            "RequestStopTransaction": self._request_stop,
            "ReserveNow": self._reserve_now,
            "Reset": self._reset,
            "SendLocalList": self._send_local_list,
            "SetChargingProfile": self._set_charging_profile,
            "SetVariables": self._set_variables,
            "TriggerMessage": self._trigger_message,
            "UnlockConnector": self._unlock_connector,
        }

    # === what we say ==================================================================================================

    def _tell(self, outgoing: Outgoing) -> tuple[str, rpc.Payload] | None:
        data, kind = outgoing.data, outgoing.kind
        if kind == out.STATUS:
            return self._status(data)
        if kind == out.REPORT:
            return "NotifyReport", data
        if kind == out.METER_NOW:
            return "MeterValues", {"evseId": EVSE["id"], "meterValue": [_meter_value(data)]}
        return "TransactionEvent", self._event(outgoing)

    def _boot(self) -> rpc.Payload:
        identity = self.point.identity
        station = rpc.without_none({
            "vendorName": identity.get("vendor", VENDOR), "model": identity.get("model", MODEL),
            "serialNumber": identity.get("serial"), "firmwareVersion": identity.get("firmware"),
        })  # fmt: skip
        return {"reason": self._reason, "chargingStation": station}

    def _authorize(self, tag: str) -> rpc.Payload:
        return {"idToken": self._token(tag)}

    def _status(self, data: rpc.Payload) -> tuple[str, rpc.Payload] | None:
        if data["connector"] != CONNECTOR:
            return None
        return "StatusNotification", {
            "timestamp": stamp(data["at"]), "evseId": EVSE["id"], "connectorId": EVSE["connectorId"],
            "connectorStatus": _CONNECTOR_STATUS.get(data["status"], data["status"]),
        }  # fmt: skip

    def _event(self, outgoing: Outgoing) -> rpc.Payload:
        data, message = outgoing.data, outgoing.of_transaction
        event, trigger, info, values = _EVENTS[message.kind](data)
        transaction = self.point.journal.transaction(message.transaction_id)
        tag = data["tag"] if message.kind == START else data.get("transaction_tag")
        return rpc.without_none({
            "eventType": event, "timestamp": stamp(data["at"]), "triggerReason": trigger, "seqNo": message.number,
            "offline": bool(data.get("offline")), "evse": EVSE,
            "transactionInfo": rpc.without_none({
                "transactionId": transaction.uuid, "chargingState": data.get("phase"), **info,
            }),
            "idToken": self._token(tag) if tag else None, "reservationId": data.get("reservation"),
            "meterValue": [_meter_value(value) for value in values] or None,
        })  # fmt: skip

    def _token(self, tag: str) -> rpc.Payload:
        if tag == DEFAULT_TAG:
            return {"idToken": "", "type": "NoAuthorization"}
        types: dict[str, str] = self.point.journal.fact("token_types", {})
        return {"idToken": tag, "type": types.get(tag.casefold(), "Central")}

    def _know_token(self, token: rpc.Payload) -> str:
        """Its text, under which its type is found again."""
        tag: str = token["idToken"]
        types = dict(self.point.journal.fact("token_types", {}))
        types.pop(tag.casefold(), None)
        types[tag.casefold()] = token["type"]
        self.point.journal.keep("token_types", dict(list(types.items())[-MAX_TYPES:]))
        return tag

    # === what the central system answers ==============================================================================

    def answered(self, outgoing: Outgoing, payload: rpc.Payload, now: float) -> None:
        """Raises KeyError, TypeError, ValueError or CallError where the answer is none."""
        kind, point = outgoing.kind, self.point
        if kind == out.BOOT:
            status = rpc.word(payload["status"], (out.ACCEPTED, out.PENDING, out.REJECTED))
            point.booted(status, rpc.integer(payload["interval"]), now)
            self._reason = "RemoteReset"
        elif kind == out.AUTHORIZE:
            point.authorized(outgoing.data, _tag_info(payload["idTokenInfo"]), now)
        elif outgoing.message is not None:
            info = _tag_info(payload["idTokenInfo"]) if "idTokenInfo" in payload else None
            if outgoing.message.kind == START:
                point.started(outgoing.message, None, info, now)
            else:
                point.told(outgoing.message, now)
                if info is not None:
                    point.judged(outgoing.message, info, now)

    # === what the central system asks for =============================================================================

    def called(self, call: rpc.Call, now: float) -> rpc.Payload:
        """The payload of the answer. Raises CallError."""
        action = rpc.action_of(call, self._actions, NOT_SUPPORTED)
        return action(rpc.check_call(call, VERSION), now)

    def _change_availability(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        evse = payload.get("evse")
        if not _is_ours(evse):
            return {"status": "Rejected"}
        connector = STATION if evse is None else CONNECTOR
        return {"status": self.point.set_availability(connector, payload["operationalStatus"] == "Operative", now)}

    def _clear_charging_profile(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        criteria = payload.get("chargingProfileCriteria", {})
        purpose = criteria.get("chargingProfilePurpose")
        found = self.point.clear_profiles(
            now, id=payload.get("chargingProfileId"), connector=criteria.get("evseId"),
            purpose=_PURPOSES.get(purpose, purpose), stack_level=criteria.get("stackLevel"),
        )  # fmt: skip
        return {"status": "Accepted" if found else "Unknown"}

    def _get_base_report(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if payload["reportBase"] == "SummaryInventory":
            return {"status": "NotSupported"}
        rows = [_report(self.point.configuration, key) for key in conf.KEYS if key.variable]
        parts = [rows[start : start + PER_REPORT] for start in range(0, len(rows), PER_REPORT)]
        for number, part in enumerate(parts):
            self.point.outbox.ask(
                out.REPORT, requestId=payload["requestId"], generatedAt=stamp(now), seqNo=number,
                tbc=number < len(parts) - 1, reportData=part,
            )  # fmt: skip
        return {"status": "Accepted"}

    def _get_composite_schedule(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        unit, duration = payload.get("chargingRateUnit", calc.AMPERE), payload["duration"]
        if payload["evseId"] not in (0, 1) or not 0 < duration <= MAX_SCHEDULE_S:
            return {"status": "Rejected"}
        return {"status": "Accepted", "schedule": {
            "evseId": payload["evseId"], "duration": duration, "scheduleStart": stamp(now), "chargingRateUnit": unit,
            "chargingSchedulePeriod": self._periods(duration, unit, now),
        }}  # fmt: skip

    def _get_local_list_version(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        enabled = self.point.configuration.flag("LocalAuthListEnabled")
        return {"versionNumber": self.point.authorization.version if enabled else 0}

    def _get_transaction_status(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        journal, wanted = self.point.journal, payload.get("transactionId")
        if wanted is None:
            return {"messagesInQueue": journal.waiting() > 0}
        found = journal.find(wanted)
        if found is None:
            return {"messagesInQueue": False}
        return {"ongoingIndicator": not found.ended, "messagesInQueue": journal.waits_for(found)}

    def _get_variables(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return {"getVariableResult": [self._get_variable(data) for data in payload["getVariableData"]]}

    def _get_variable(self, data: rpc.Payload) -> rpc.Payload:
        status, key = _find(data)
        if key and key.access == conf.SECRET:
            status = "Rejected"
        result = {"attributeStatus": status, "component": data["component"], "variable": data["variable"]}
        if "attributeType" in data:
            result["attributeType"] = data["attributeType"]
        return (
            {**result, "attributeValue": self.point.configuration.text(key.name)}
            if key and status == "Accepted"
            else result
        )

    def _set_variables(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return {"setVariableResult": [self._set_variable(data, now) for data in payload["setVariableData"]]}

    def _set_variable(self, data: rpc.Payload, now: float) -> rpc.Payload:
        status, key = _find(data)
        if key and status == "Accepted":
            status = self.point.configure(key.name, data["attributeValue"], now)
        result = {"attributeStatus": status, "component": data["component"], "variable": data["variable"]}
        return {**result, "attributeType": data["attributeType"]} if "attributeType" in data else result

    def _request_start(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if payload.get("evseId", EVSE["id"]) != EVSE["id"]:
            return {"status": "Rejected"}
        profile = payload.get("chargingProfile")
        if profile is not None:
            profile = _profile(profile, EVSE["id"], now)
            if profile is None or profile.purpose != calc.TX or profile.transaction or calc.problem(profile):
                return {"status": "Rejected"}
        tag = self._know_token(payload["idToken"])
        accepted = self.point.remote_start(tag, now, profile, payload["remoteStartId"])
        answer = {"status": "Accepted" if accepted else "Rejected"}
        return (
            {**answer, "transactionId": self.point.transaction.uuid} if accepted and self.point.transaction else answer
        )

    def _request_stop(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        return accepted(self.point.remote_stop(payload["transactionId"], now))

    def _reserve_now(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if payload.get("evseId", EVSE["id"]) != EVSE["id"]:
            return {"status": "Rejected"}
        reservation = {
            "id": payload["id"], "tag": self._know_token(payload["idToken"]), "connector": CONNECTOR,
            "parent": payload.get("groupIdToken", {}).get("idToken"), "expiry": moment(payload["expiryDateTime"]),
        }  # fmt: skip
        return {"status": self.point.reserve(reservation, now)}

    def _reset(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if "evseId" in payload:
            return {"status": "Rejected"}  # the charger restarts as a whole
        if payload["type"] == "OnIdle" and self.point.transaction:
            self.point.reset_when_idle()
            return {"status": "Scheduled"}
        return accepted(self.point.reset("ImmediateReset", now))

    def _send_local_list(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if not self.point.configuration.flag("LocalAuthListEnabled"):
            return {"status": "Failed"}
        entries = [
            (entry["idToken"]["idToken"], _tag_info(entry["idTokenInfo"]) if "idTokenInfo" in entry else None)
            for entry in payload.get("localAuthorizationList", [])
        ]
        full = payload["updateType"] == "Full"
        status = self.point.authorization.update(payload["versionNumber"], full, entries)
        self.point.save_authorization()
        return {"status": status}

    def _set_charging_profile(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        if payload["evseId"] not in (0, 1):
            return {"status": "Rejected"}
        profile, transaction = _profile(payload["chargingProfile"], payload["evseId"], now), self.point.transaction
        if profile is None:
            return {"status": "Rejected"}
        if profile.purpose == calc.TX and (transaction is None or profile.transaction != transaction.uuid):
            return {"status": "Rejected"}
        return accepted(self.point.install_profile(profile, now) is None)

    def _trigger_message(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        wanted = payload["requestedMessage"]
        if not _is_ours(payload.get("evse")):
            return {"status": "Rejected"}
        if wanted == "BootNotification":
            self._reason = "Triggered"
            self.point.outbox.boot_again()
        elif wanted == "Heartbeat":
            self.point.outbox.ask(out.HEARTBEAT, triggered=True)
        elif wanted == "StatusNotification":
            self.point.trigger_status(CONNECTOR, now)
        elif wanted in ("MeterValues", "TransactionEvent"):
            if not self.point.snapshot.online or (wanted == "TransactionEvent" and not self.point.transaction):
                return {"status": "Rejected"}
            self.point.trigger_values(now)
        else:
            return {"status": "NotImplemented"}
        return {"status": "Accepted"}

    def _unlock_connector(self, payload: rpc.Payload, now: float) -> rpc.Payload:
        ours = (payload["evseId"], payload["connectorId"]) == (EVSE["id"], EVSE["connectorId"])
        return {"status": "UnlockFailed" if ours else "UnknownConnector"}


# --- events -----------------------------------------------------------------------------------------------------------


# What happened, why, more of the transaction, and values.
Event = tuple[str, str, rpc.Payload, list[rpc.Payload]]


def _started(data: rpc.Payload) -> Event:
    remote = data.get("remote_start")
    register = {"at": data["at"], "context": BEGIN, "sample": [_register(data["meter"])]}
    return "Started", "RemoteStart" if remote is not None else "CablePluggedIn", {"remoteStartId": remote}, [register]


def _measured(data: rpc.Payload) -> Event:
    return "Updated", _SAMPLES[data["context"]], {}, [data]


def _changed(data: rpc.Payload) -> Event:
    return "Updated", "ChargingStateChanged", {}, []


def _ended(data: rpc.Payload) -> Event:
    trigger, reason = _ENDS.get(data["reason"], ("AbnormalCondition", "Other"))
    values = [value for value in data["data"] if value["context"] != END]
    last: list[rpc.Payload] = next((value["sample"] for value in data["data"] if value["context"] == END), [])
    if not any(value["measurand"] == conf.ENERGY for value in last):
        last = [*last, _register(data["meter"])]
    return "Ended", trigger, {"stoppedReason": reason}, [*values, {"at": data["at"], "context": END, "sample": last}]


_EVENTS = {START: _started, METER: _measured, UPDATE: _changed, STOP: _ended}


def _register(meter: int) -> rpc.Payload:
    return {"measurand": conf.ENERGY, "value": meter, "unit": "Wh"}


# --- words ------------------------------------------------------------------------------------------------------------


def _is_ours(evse: rpc.Payload | None) -> bool:
    return evse is None or (evse["id"] == EVSE["id"] and evse.get("connectorId", 1) == EVSE["connectorId"])


def _tag_info(info: rpc.Payload) -> TagInfo:
    """2.0.1 has more words for no."""
    status = info["status"] if info["status"] in _STATUSES else "Invalid"
    group = info.get("groupIdToken")
    return TagInfo(status, optional_moment(info.get("cacheExpiryDateTime")), group["idToken"] if group else None)


def _meter_value(values: rpc.Payload) -> rpc.Payload:
    return {
        "timestamp": stamp(values["at"]),
        "sampledValue": [
            rpc.without_none({
                "value": value["value"], "measurand": value["measurand"], "context": values["context"],
                "phase": value.get("phase"), "unitOfMeasure": {"unit": value["unit"]},
            })
            for value in values["sample"]
        ],
    }  # fmt: skip


def _find(data: rpc.Payload) -> tuple[str, conf.Key | None]:
    """Status of the attribute, and its key."""
    component, variable = data["component"]["name"], data["variable"]
    instance = f"#{variable['instance']}" if "instance" in variable else ""
    key = conf.BY_VARIABLE.get(f"{component}.{variable['name']}{instance}".lower())
    if key is None:
        known = {name.partition(".")[0] for name in conf.BY_VARIABLE}
        return "UnknownVariable" if component.lower() in known else "UnknownComponent", None
    if data.get("attributeType", "Actual") != "Actual":
        return "NotSupportedAttributeType", key
    return "Accepted", key


def _report(configuration: conf.Configuration, key: conf.Key) -> rpc.Payload:
    component, _, rest = key.variable.partition(".")
    name, _, instance = rest.partition("#")
    attribute = {"type": "Actual", "mutability": _MUTABILITY[key.access], "persistent": True, "constant": False}
    if key.access != conf.SECRET:
        attribute["value"] = configuration.text(key.name)
    return {
        "component": {"name": component}, "variable": {"name": name, **({"instance": instance} if instance else {})},
        "variableAttribute": [attribute],
        "variableCharacteristics": {"dataType": _DATA_TYPES[key.kind], "supportsMonitoring": False},
    }  # fmt: skip


def _profile(profile: rpc.Payload, evse: int, now: float) -> calc.Profile | None:
    """None: what we do not have, as several schedules in one, or limits from outside."""
    purpose, schedules = _PURPOSES.get(profile["chargingProfilePurpose"]), profile["chargingSchedule"]
    if purpose is None or len(schedules) != 1:
        return None
    schedule = schedules[0]
    return calc.Profile(
        id=profile["id"], stack_level=profile["stackLevel"], purpose=purpose, kind=profile["chargingProfileKind"],
        unit=schedule["chargingRateUnit"], connector=evse, received=now,
        periods=tuple(
            calc.Period(period["startPeriod"], period["limit"], period.get("numberPhases"))
            for period in schedule["chargingSchedulePeriod"]
        ),
        begin=optional_moment(schedule.get("startSchedule")), duration=schedule.get("duration"),
        recurrency=profile.get("recurrencyKind"), valid_from=optional_moment(profile.get("validFrom")),
        valid_to=optional_moment(profile.get("validTo")), transaction=profile.get("transactionId"),
    )  # fmt: skip
