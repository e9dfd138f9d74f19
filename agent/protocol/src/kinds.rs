//! The table of kinds of token: what each one guarantees, so that policy can compare needs with
//! guarantees and never has to ask what a token is.
//!
//! A kind is one row here, one file in the signer's `token/`, one file in enrol's `kind/`, and one
//! line in the contract suite.

/// What a kind of token guarantees at each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantees {
    /// A human touch, enforced by hardware.
    pub touch: bool,
    /// A PIN or passphrase for each use.
    pub pin: bool,
    /// The key cannot be read out of the token.
    pub non_exportable: bool,
}

/// One kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Name in `agent.toml`, in records and on the command line.
    pub name: &'static str,
    /// What it guarantees.
    pub guarantees: Guarantees,
    /// What is said at each use of such a token; null for hardware.
    pub warning: Option<&'static str>,
}

/// Every kind there is. The first one that `agent.toml` names is the default of `token enrol`.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "yubikey-piv",
        guarantees: Guarantees { touch: true, pin: true, non_exportable: true },
        warning: None,
    },
    Kind {
        name: "fido2",
        guarantees: Guarantees { touch: true, pin: true, non_exportable: true },
        warning: None,
    },
    Kind {
        name: "software",
        guarantees: Guarantees { touch: false, pin: true, non_exportable: false },
        warning: Some(
            "software token: a file and its passphrase are all that protects this key; for trying out only",
        ),
    },
];

/// Every kind that holds a key itself (custody `in-token`): a row here and one file in the signer's
/// `token/`. What it guarantees alone, where the record need not be opened first.
pub const HOLDERS: &[Kind] = &[Kind {
    name: "yubikey-oath",
    guarantees: Guarantees { touch: true, pin: false, non_exportable: true },
    warning: None,
}];

/// The row of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The row of a holder's name.
#[must_use]
pub fn find_holder(name: &str) -> Option<&'static Kind> {
    HOLDERS.iter().find(|kind| kind.name == name)
}
