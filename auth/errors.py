"""Everything that identity refuses, as one tree of errors.

    AuthError
      BadCredential       a key, a signature or a text to sign that has the wrong shape
      Unauthorized        we do not know who is asking: no credential, or one that does not hold
      Forbidden           we know, and the answer is no
        ApprovalRequired    the account waits for an administrator
        RegistrationClosed  the key is unknown and this server takes no new accounts
        AccountDisabled     an administrator has closed the account
      RegistrationFull    too many new accounts wait for approval: try again later
      BadKeyFile          a server key that cannot be used: the operator must act

`reason` is one stable word each, made for the `error` field of a reply. No error carries a
credential, so any of them may be logged.
"""


class AuthError(Exception):
    """Root of this package's errors."""


class BadCredential(AuthError):
    """A peer sent something of the wrong shape in `field`; nothing was looked up for it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


class Unauthorized(AuthError):
    """No credential, or one that does not hold.

    `reason`: "token_missing", "token_invalid", "token_expired", "token_revoked", "token_type" (a
    refresh token where an access token belongs, or the reverse), "challenge_invalid",
    "challenge_expired", "challenge_used", "signature_invalid", "link_invalid", "link_expired",
    "cookie_repeated", "key_unknown".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"not authenticated: {reason}")
        self.reason = reason


class Forbidden(AuthError):
    """Known, and not allowed. Foreign, unknown and deleted documents all end here alike.

    `reason`: "forbidden" or, in a subclass, the word of that subclass.
    """

    def __init__(self, reason: str = "forbidden") -> None:
        super().__init__(f"not allowed: {reason}")
        self.reason = reason


class ApprovalRequired(Forbidden):
    """The account exists and waits until an administrator approves it."""

    def __init__(self) -> None:
        super().__init__("approval_required")


class RegistrationClosed(Forbidden):
    """The key belongs to no account, and this server makes no account for it."""

    def __init__(self) -> None:
        super().__init__("registration_closed")


class AccountDisabled(Forbidden):
    """The account was closed by an administrator."""

    def __init__(self) -> None:
        super().__init__("account_disabled")


class RegistrationFull(AuthError):
    """As many accounts wait for approval as this server keeps."""

    def __init__(self) -> None:
        super().__init__("too many accounts wait for approval")


class BadKeyFile(AuthError):
    """A server key, from a setting or a file, that is not 32 bytes of base64."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"the server key in {where} {problem}")
        self.where = where
        self.problem = problem
