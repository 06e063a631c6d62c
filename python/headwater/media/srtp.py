"""SRTP keys that signalling carries (SDES, RFC 4568): a suite, and master key with salt behind it.

::

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:<key and salt in base64>

Whoever reads the SDP can read the media, so it goes only where the media goes.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from headwater.errors import ConfigurationError

__all__ = ["SrtpParameters", "SrtpSuite"]

SrtpSuite = Literal["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]
"""Suites by their names in SDES (RFC 4568 section 6.2, RFC 7714 section 14.1)."""


@dataclass(frozen=True, slots=True)
class SrtpParameters:
    """What one side seals with.

    Attributes:
        crypto_suite: The suite's name.
        key_base64: Master key and salt, in base64; not part of the ``repr``.
    """

    crypto_suite: SrtpSuite
    key_base64: str = field(repr=False)

    def __post_init__(self) -> None:
        """Check suite and key.

        Raises:
            ConfigurationError: There is no such suite, or the key has not its length.
        """
        if self.crypto_suite not in get_args(SrtpSuite):
            raise ConfigurationError(f"no such SRTP suite: {self.crypto_suite!r}")
        length = _LENGTHS[self.crypto_suite]
        if len(self.key) != length:
            raise ConfigurationError(f"key and salt of {self.crypto_suite} have {length} bytes together")

    @classmethod
    def generate(cls, suite: SrtpSuite) -> Self:
        """Draw a key.

        Raises:
            ConfigurationError: There is no such suite.
        """
        if suite not in get_args(SrtpSuite):
            raise ConfigurationError(f"no such SRTP suite: {suite!r}")
        return cls(suite, base64.b64encode(secrets.token_bytes(_LENGTHS[suite])).decode())

    @property
    def key(self) -> bytes:
        """Master key and salt.

        Raises:
            ConfigurationError: It is not base64.
        """
        try:
            return base64.b64decode(self.key_base64, validate=True)
        except binascii.Error as error:
            raise ConfigurationError("an SRTP key is written in base64") from error

    @property
    def crypto_line(self) -> str:
        """The value of ``a=crypto`` (RFC 4568 section 4)."""
        return f"1 {self.crypto_suite} inline:{self.key_base64}"


_LENGTHS: dict[str, int] = {
    "AES_CM_128_HMAC_SHA1_80": 16 + 14,
    "AEAD_AES_128_GCM": 16 + 12,
    "AEAD_AES_256_GCM": 32 + 12,
}
