//! What is in force.

use serde::{Deserialize, Serialize};

/// `GET /v1/audit/head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Sequence number of the last entry; 0 when there is none.
    pub seq: u64,
    /// Its hash; 64 zeros when there is none.
    pub hash: String,
}

/// `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// [`crate::VERSION`].
    pub version: u32,
    /// Version of the agent's program.
    pub agent_version: String,
    /// Its process id.
    pub pid: u32,
    /// Its uid.
    pub uid: u32,
    /// Seconds since it started.
    pub uptime: u64,
    /// Its socket.
    pub socket: String,
    /// Its state directory.
    pub state_dir: String,
    /// Its configuration file; null when there is none and defaults are in force.
    pub config: Option<String>,
    /// Its policy file; null when there is none.
    pub policy: Option<String>,
    /// Id of the vault: 32 hex digits.
    pub vault_id: String,
    /// Kinds of token in force.
    pub kinds: Vec<String>,
    /// Loopback hosts that requests may go to in the clear.
    pub extra_hosts: Vec<String>,
    /// Socket of the PC/SC service; empty for the system's.
    pub pcsc_socket: String,
    /// Hardening layers.
    pub hardening: Vec<Layer>,
    /// Head of the audit log.
    pub head: Head,
    /// Where heads are copied to; empty for nowhere.
    pub anchor: String,
    /// How many keys and tokens there are, and how many session credentials are kept.
    pub counts: Counts,
}

/// One hardening layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// What it does.
    pub name: String,
    /// Whether it is in force.
    pub on: bool,
    /// Why not.
    pub why: Option<String>,
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Keys.
    pub keys: u32,
    /// Enrolled tokens.
    pub tokens: u32,
    /// Kept session credentials.
    pub sessions: u32,
}
