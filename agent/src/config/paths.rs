//! Signatures first; the bodies follow.
use signet_protocol::Refusal;
use std::path::PathBuf;

/// Places given on the command line.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub socket: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
}
/// Places taken from the environment of a person.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Environment {
    pub home: Option<PathBuf>,
    pub state_home: Option<PathBuf>,
    pub config_home: Option<PathBuf>,
    pub runtime_dir: Option<PathBuf>,
    pub sock: Option<PathBuf>,
    pub config: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
}
/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Places {
    /// A system agent serves a group; a personal one its owner.
    pub system: bool,
    pub socket: PathBuf,
    pub state_dir: PathBuf,
    pub config_dir: PathBuf,
    /// The configuration file, where there is one; one that was named must be there.
    pub config: Option<PathBuf>,
}
#[allow(missing_docs, clippy::todo, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Environment {
    pub fn read() -> Self {
        todo!()
    }
}
#[allow(missing_docs, clippy::todo, clippy::missing_errors_doc, unused_variables)]
impl Places {
    /// For the uid of this process, on this machine.
    pub fn find(flags: &Flags, environment: &Environment) -> Result<Self, Refusal> {
        todo!()
    }
    /// Absolute directory of software tokens.
    pub fn token_dir(&self) -> PathBuf {
        self.state_dir.join("software")
    }
}
