"""What an S3 service's refusals mean, and what to do about them."""

_CREDENTIALS = "it does not accept the credentials ({said}). Put a valid key and secret into {setting}"
_FULL = "it is full ({said}). Make room, or raise the quota"
_REGION = "the bucket is in another region ({said}). Add ?region=NAME to {setting}"

_REASONS = {
    "NoSuchBucket": "the bucket does not exist. Make it, or correct {setting}",
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "ExpiredToken": "the credentials have expired ({said}). Put new ones into {setting}",
    "TokenRefreshRequired": "the credentials have expired ({said}). Put new ones into {setting}",
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "XMinioStorageFull": _FULL,
    "RequestTimeTooSkewed": "its clock and ours differ ({said}). Set this machine's clock",
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "IllegalLocationConstraintException": _REGION,
}
_STATUSES = {
    301: _REGION,
    401: _CREDENTIALS,
    403: "it denies access ({said}). The credentials may have expired, or lack rights to this bucket",
    507: _FULL,
}


def refusal_reason(status: int, code: str, setting: str = "HUSTINGS_STORE_URL") -> str:
    """Without the closing full stop."""
    said = f"{status} {code}".strip()
    sentence = _REASONS.get(code) or _STATUSES.get(status) or "it answered {said}. Look at its own log"
    return sentence.format(said=said, setting=setting)
