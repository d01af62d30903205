"""Where the central system is, how we know it and it knows us. Security never steps down. No socket."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlsplit

from ...errors import UsageError
from ...files.secret_file import require_file
from ...secrecy import shown
from .configuration import ACCEPTED, REJECTED
from .journal import Journal

EXAMPLE = "it must look like wss://central.example/ocpp, or ws:// without TLS"
MAX_IDENTITY = 48


@dataclass(frozen=True)
class Target:
    """``url`` without the identity, which is put behind it; ``key`` is the password of basic authentication. ``str``
    shows no secret."""

    url: str
    identity: str
    key: bytes = field(default=b"", repr=False)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @classmethod
    def parse(
        cls, url: str, identity: str, key: str = "", ca_file: str = "", cert_file: str = "", key_file: str = ""
    ) -> Target:
        """Raises UsageError, which names the option, and what is allowed."""
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError:
            raise UsageError(f"url {shown(url)}: {EXAMPLE}") from None
        if parts.username is not None or parts.password is not None:
            raise UsageError("url: leave user name and password out of it, others may see them there")
        if parts.scheme not in ("ws", "wss") or not parts.hostname or port == 0 or parts.query or parts.fragment:
            raise UsageError(f"url {shown(url)}: {EXAMPLE}")
        if not 0 < len(identity) <= MAX_IDENTITY or not identity.isprintable() or ":" in identity:
            raise UsageError(f"id {shown(identity)}: 1 to {MAX_IDENTITY} characters, no colon")
        if bool(cert_file) != bool(key_file):
            raise UsageError("client certificate: certificate and key belong together, one of them is missing")
        if (ca_file or cert_file) and parts.scheme != "wss":
            raise UsageError("certificates are of use with wss:// only")
        target = cls(url.strip().rstrip("/"), identity, key.encode(), ca_file, cert_file, key_file)
        target.tls_context()
        return target

    def __str__(self) -> str:
        return self.uri

    @property
    def uri(self) -> str:
        return f"{self.url}/{quote(self.identity, safe='')}"

    @property
    def is_encrypted(self) -> bool:
        return self.url.startswith("wss:")

    @property
    def security_profile(self) -> int:
        """0 nothing, 1 key, 2 key and TLS, 3 client certificate. TLS alone is none of them: 0."""
        if not self.is_encrypted:
            return 1 if self.key else 0
        return 3 if self.cert_file else 2 if self.key else 0

    @property
    def headers(self) -> dict[str, str]:
        if not self.key:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(self.identity.encode() + b":" + self.key).decode()}

    def tls_context(self) -> ssl.SSLContext | None:
        """Raises UsageError when a file is missing or none."""
        if not self.is_encrypted:
            return None
        for what, file in (("ca", self.ca_file), ("cert", self.cert_file), ("key", self.key_file)):
            require_file(f"{what} file", file)
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file, password=_no_password)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            files = ", ".join(filter(None, (self.ca_file, self.cert_file, self.key_file)))
            raise UsageError(f"certificates {files}: {reason.lower()}") from None
        return context


def _no_password() -> str:
    raise ValueError("the key has a passphrase; one without is needed")


def key_bytes(text: str) -> bytes | None:
    """What a central system sets as AuthorizationKey: 16 to 20 bytes as hexadecimal digits, or 16 to 40 printable
    characters (security whitepaper, 4.1); None if it is neither."""
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2}){16,20}", text):
        return bytes.fromhex(text)
    return text.encode() if 16 <= len(text) <= 40 and text.isascii() and text.isprintable() else None


#: What the central system has asked for is given up after so many.
MAX_REFUSALS = 3


class Credentials:
    """How to connect: as configured, or as the central system has raised it since. What it asks for is tried with the
    next connection, and kept when that comes about; until then the old way remains."""

    def __init__(self, configured: Target, journal: Journal) -> None:
        self._configured, self._journal = configured, journal
        self._fingerprint = hashlib.sha256(configured.key).hexdigest()
        self._trial: Target | None = None
        self._failures = self._refusals = 0
        if key := self._saved_key("trial_key"):  # set just before we were stopped: the old one may count no more
            self._trial = replace(self._current, key=key)

    @property
    def target(self) -> Target:
        """To connect with now."""
        return self._trial if self._trial and self._failures % 2 == 0 else self._current

    @property
    def _current(self) -> Target:
        target = replace(self._configured, key=self._saved_key("key") or self._configured.key)
        return _raised(target, self._journal.fact("security_profile", 0))

    def _saved_key(self, name: str) -> bytes | None:
        """One that the central system has set; a key that was configured since counts instead of it."""
        saved = self._journal.fact(name)
        return bytes.fromhex(saved["key"]) if saved and saved["instead_of"] == self._fingerprint else None

    def _save_key(self, name: str, key: bytes) -> None:
        self._journal.keep(name, {"key": key.hex(), "instead_of": self._fingerprint})

    def _begin_trial(self, trial: Target) -> None:
        self._trial, self._failures, self._refusals = trial, 0, 0

    def _end_trial(self) -> None:
        self._trial = None
        self._journal.keep("trial_key", None)

    @property
    def security_profile(self) -> int:
        return max(self._current.security_profile, int(self._journal.fact("security_profile", 0)))

    @property
    def is_changing(self) -> bool:
        return self._trial is not None

    # --- what the central system asks for

    def change_key(self, text: str) -> str:
        key = key_bytes(text)
        if key is None:
            return REJECTED
        self._begin_trial(replace(self._trial or self._current, key=key))
        self._save_key("trial_key", key)
        return ACCEPTED

    def raise_profile(self, text: str) -> str:
        """Only upwards, and only to what we have the means for."""
        wanted = int(text)
        if wanted <= self.security_profile:
            return REJECTED
        trial = _raised(self._trial or self._current, wanted)
        if trial.security_profile < wanted:
            return REJECTED
        try:
            trial.tls_context()
        except UsageError:
            return REJECTED
        self._begin_trial(trial)
        return ACCEPTED

    # --- what became of it

    def connected(self, target: Target) -> None:
        """``target`` works."""
        if target is self._trial:
            if target.key != self._current.key:
                self._save_key("key", target.key)
            self._end_trial()
        self._journal.keep("security_profile", max(self.security_profile, target.security_profile))

    def failed(self, target: Target, *, was_answered: bool) -> None:
        """``target`` does not work: the old way is tried again, and the new one in turn. The new one is given up when
        it was answered with a refusal three times; a central system that is away refuses nothing."""
        self._failures += 1
        if target is self._trial and was_answered:
            self._refusals += 1
            if self._refusals >= MAX_REFUSALS:
                self._end_trial()


def _raised(target: Target, profile: int) -> Target:
    """With TLS where the profile wants it; the same host, port and path."""
    if profile >= 2 and not target.is_encrypted:
        return replace(target, url="wss:" + target.url.removeprefix("ws:"))
    return target
