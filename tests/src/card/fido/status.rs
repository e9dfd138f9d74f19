//! Status codes of CTAP (CTAP 2.1, section 8.2).

/// The first byte of every answer.
pub(super) type Status = u8;

pub(super) const OK: Status = 0x00;
pub(super) const INVALID_COMMAND: Status = 0x01;
pub(super) const INVALID_PARAMETER: Status = 0x02;
pub(super) const INVALID_LENGTH: Status = 0x03;
pub(super) const UNEXPECTED_TYPE: Status = 0x11;
pub(super) const INVALID_CBOR: Status = 0x12;
pub(super) const MISSING_PARAMETER: Status = 0x14;
pub(super) const LIMIT_EXCEEDED: Status = 0x15;
pub(super) const CREDENTIAL_EXCLUDED: Status = 0x19;
pub(super) const UNSUPPORTED_ALGORITHM: Status = 0x26;
pub(super) const OPERATION_DENIED: Status = 0x27;
pub(super) const UNSUPPORTED_OPTION: Status = 0x2b;
pub(super) const INVALID_OPTION: Status = 0x2c;
pub(super) const KEEPALIVE_CANCEL: Status = 0x2d;
pub(super) const NO_CREDENTIALS: Status = 0x2e;
pub(super) const USER_ACTION_TIMEOUT: Status = 0x2f;
pub(super) const NOT_ALLOWED: Status = 0x30;
pub(super) const PIN_INVALID: Status = 0x31;
pub(super) const PIN_BLOCKED: Status = 0x32;
pub(super) const PIN_AUTH_INVALID: Status = 0x33;
pub(super) const PIN_AUTH_BLOCKED: Status = 0x34;
pub(super) const PIN_NOT_SET: Status = 0x35;
pub(super) const PIN_REQUIRED: Status = 0x36;
pub(super) const PIN_POLICY_VIOLATION: Status = 0x37;
pub(super) const REQUEST_TOO_LARGE: Status = 0x39;
pub(super) const UV_BLOCKED: Status = 0x3c;
pub(super) const INVALID_SUBCOMMAND: Status = 0x3e;
pub(super) const UV_INVALID: Status = 0x3f;
pub(super) const UNAUTHORIZED_PERMISSION: Status = 0x40;
