//! Where everything lies, for a personal and for a system agent (INTERFACE, "Where things lie").
//!
//! A system agent is one that runs as the owner of `/var/lib/signet`, other than root: the service's
//! own user. Its places are fixed; neither flags nor environment move them. A personal agent takes
//! flags, then `SIGNET_*`, then the XDG directories, then `HOME`.

use signet_protocol::{Code, Refusal};
use std::env::var_os;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Places given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
}

/// Places that a person's environment names. A relative path counts as none, as XDG has it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `SIGNET_SOCK`.
    pub sock: Option<PathBuf>,
    /// `SIGNET_CONFIG`.
    pub config: Option<PathBuf>,
    /// `SIGNET_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
}

impl Environment {
    /// This process's.
    #[must_use]
    pub fn read() -> Self {
        let absolute = |name| var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            home: absolute("HOME"),
            state_home: absolute("XDG_STATE_HOME"),
            config_home: absolute("XDG_CONFIG_HOME"),
            runtime_dir: absolute("XDG_RUNTIME_DIR"),
            sock: absolute("SIGNET_SOCK"),
            config: absolute("SIGNET_CONFIG"),
            state_dir: absolute("SIGNET_STATE_DIR"),
        }
    }
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// A system agent serves a group; a personal one its owner.
    pub system: bool,
    /// Where it listens.
    pub socket: PathBuf,
    /// Where the vault is.
    pub state_dir: PathBuf,
    /// Where `policy.toml` is looked for.
    pub config_dir: PathBuf,
    /// The configuration file, where there is one; one that was named must be there.
    pub config: Option<PathBuf>,
}

/// What is looked at on the machine.
#[derive(Debug, Clone)]
struct Machine {
    uid: u32,
    /// `/`, but for tests.
    root: PathBuf,
}

impl Places {
    /// For the uid of this process, on this machine.
    ///
    /// # Errors
    /// When a system agent is told other places than its own, or a personal one has no home.
    pub fn find(flags: &Flags, environment: &Environment) -> Result<Self, Refusal> {
        let machine = Machine { uid: rustix::process::geteuid().as_raw(), root: PathBuf::from("/") };
        machine.places(flags, environment)
    }

    /// Absolute directory of the kinds of token that live in files.
    #[must_use]
    pub fn token_dir(&self) -> PathBuf {
        self.state_dir.join("software")
    }
}

impl Machine {
    fn places(&self, flags: &Flags, environment: &Environment) -> Result<Places, Refusal> {
        if self.uid != 0 && self.owns(&self.root.join("var/lib/signet")) {
            self.system(flags)
        } else {
            self.personal(flags, environment)
        }
    }

    fn system(&self, flags: &Flags) -> Result<Places, Refusal> {
        let config_dir = self.root.join("etc/signet");
        let config = config_dir.join("agent.toml");
        let socket = self.root.join("run/signet/agent.sock");
        let state_dir = self.root.join("var/lib/signet");
        let told = [
            ("--config", &flags.config, &config),
            ("--socket", &flags.socket, &socket),
            ("--state-dir", &flags.state_dir, &state_dir),
        ];
        for (flag, given, own) in told {
            if given.as_ref().is_some_and(|given| given != own) {
                let message = format!("{flag} cannot move a system agent from {}", own.display());
                return Err(Refusal::new(Code::Usage, message, "systemctl cat signet-agent"));
            }
        }
        Ok(Places { system: true, socket, state_dir, config: existing(config), config_dir })
    }

    fn personal(&self, flags: &Flags, environment: &Environment) -> Result<Places, Refusal> {
        let Environment { home, state_home, config_home, runtime_dir, sock, config, state_dir } = environment;
        let below = |base: &Option<PathBuf>, in_home: &str, what: &str| {
            let base = base.clone().or_else(|| home.as_ref().map(|home| home.join(in_home)));
            base.map(|base| base.join("signet")).ok_or_else(|| {
                let message = format!("there is no HOME to keep the {what} in");
                Refusal::new(Code::Usage, message, "signet-agent --state-dir DIR --config FILE")
            })
        };
        let state_dir = match flags.state_dir.as_ref().or(state_dir.as_ref()) {
            Some(named) => absolute(named)?,
            None => below(state_home, ".local/state", "vault")?,
        };
        let (config_dir, config) = match flags.config.as_ref().or(config.as_ref()) {
            Some(named) => {
                let named = absolute(named)?;
                (named.parent().unwrap_or(Path::new("/")).to_owned(), Some(named))
            }
            None => {
                let directory = below(config_home, ".config", "configuration")?;
                (directory.clone(), existing(directory.join("agent.toml")))
            }
        };
        let socket = match flags.socket.as_ref().or(sock.as_ref()) {
            Some(named) => absolute(named)?,
            None => match runtime_dir.clone().or_else(|| self.runtime_dir()) {
                Some(directory) => directory.join("signet/agent.sock"),
                None => state_dir.join("agent.sock"),
            },
        };
        Ok(Places { system: false, socket, state_dir, config_dir, config })
    }

    /// `/run/user/UID`, if it is this user's alone.
    fn runtime_dir(&self) -> Option<PathBuf> {
        let directory = self.root.join("run/user").join(self.uid.to_string());
        let stat = directory.symlink_metadata().ok()?;
        (stat.is_dir() && stat.uid() == self.uid && stat.mode() & 0o7777 == 0o700).then_some(directory)
    }

    fn owns(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|stat| stat.is_dir() && stat.uid() == self.uid)
    }
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    // Anything but "it is not there" is for the reader to refuse.
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Ok(_) | Err(_) => Some(path),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Refusal> {
    let wrong = |error: std::io::Error| Refusal::bare(Code::Usage, format!("{}: {error}", path.display()));
    std::path::absolute(path).map_err(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    struct Root(tempfile::TempDir);

    impl Root {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn make(&self, path: &str, mode: u32) {
            fs::create_dir_all(self.at(path)).unwrap();
            fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn machine(&self, uid: u32) -> Machine {
            Machine { uid, root: self.0.path().to_owned() }
        }
    }

    fn own_uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn home() -> Environment {
        Environment { home: Some("/home/a".into()), ..Environment::default() }
    }

    #[test]
    fn a_personal_agent_lies_in_the_home_directory() {
        let root = Root::new();
        let places = root.machine(own_uid()).places(&Flags::default(), &home()).unwrap();
        assert_eq!(places.state_dir, Path::new("/home/a/.local/state/signet"));
        assert_eq!(places.config_dir, Path::new("/home/a/.config/signet"));
        assert_eq!(places.socket, Path::new("/home/a/.local/state/signet/agent.sock"));
        assert_eq!(places.token_dir(), Path::new("/home/a/.local/state/signet/software"));
        assert_eq!((places.system, places.config), (false, None));
    }

    #[test]
    fn the_environment_moves_it_and_flags_win() {
        let root = Root::new();
        let environment = Environment {
            state_home: Some("/s".into()),
            config_home: Some("/c".into()),
            runtime_dir: Some("/r".into()),
            ..home()
        };
        let places = root.machine(own_uid()).places(&Flags::default(), &environment).unwrap();
        assert_eq!(places.state_dir, Path::new("/s/signet"));
        assert_eq!(places.config_dir, Path::new("/c/signet"));
        assert_eq!(places.socket, Path::new("/r/signet/agent.sock"));

        let named = Environment {
            sock: Some("/e/sock".into()),
            config: Some("/e/agent.toml".into()),
            state_dir: Some("/e/state".into()),
            ..environment
        };
        let places = root.machine(own_uid()).places(&Flags::default(), &named).unwrap();
        assert_eq!(places.config, Some("/e/agent.toml".into()));
        assert_eq!((places.socket, places.state_dir), ("/e/sock".into(), "/e/state".into()));

        let flags =
            Flags { socket: Some("/f/sock".into()), config: Some("/f/a.toml".into()), state_dir: None };
        let places = root.machine(own_uid()).places(&flags, &named).unwrap();
        assert_eq!(places.socket, Path::new("/f/sock"));
        assert_eq!((places.config_dir, places.config), ("/f".into(), Some("/f/a.toml".into())));
    }

    #[test]
    fn the_runtime_directory_is_used_only_when_it_is_ours_alone() {
        let root = Root::new();
        let runtime = format!("run/user/{}", own_uid());
        let socket = || root.machine(own_uid()).places(&Flags::default(), &home()).unwrap().socket;
        root.make(&runtime, 0o700);
        assert_eq!(socket(), root.at(&runtime).join("signet/agent.sock"));
        root.make(&runtime, 0o750);
        assert_eq!(socket(), Path::new("/home/a/.local/state/signet/agent.sock"));
        let stranger = own_uid() + 1;
        root.make(&format!("run/user/{stranger}"), 0o700);
        let places = root.machine(stranger).places(&Flags::default(), &home()).unwrap();
        assert_eq!(places.socket, Path::new("/home/a/.local/state/signet/agent.sock"));
    }

    #[test]
    fn a_personal_agent_without_a_home_is_told_what_to_say() {
        let root = Root::new();
        let nothing = Environment::default();
        assert!(root.machine(own_uid()).places(&Flags::default(), &nothing).is_err());
        let flags =
            Flags { state_dir: Some("/x/state".into()), config: Some("/x/agent.toml".into()), socket: None };
        let places = root.machine(own_uid()).places(&flags, &nothing).unwrap();
        assert_eq!(places.socket, Path::new("/x/state/agent.sock"));
    }

    #[test]
    fn a_system_agent_has_its_places_and_cannot_be_told_others() {
        let root = Root::new();
        let machine = root.machine(4711);
        let fixed = machine.system(&Flags::default()).unwrap();
        assert_eq!(fixed.socket, root.at("run/signet/agent.sock"));
        assert_eq!(fixed.state_dir, root.at("var/lib/signet"));
        assert_eq!((fixed.system, fixed.config), (true, None));
        root.make("etc/signet", 0o755);
        fs::write(root.at("etc/signet/agent.toml"), "").unwrap();
        let same = Flags { state_dir: Some(root.at("var/lib/signet")), ..Flags::default() };
        assert_eq!(machine.system(&same).unwrap().config, Some(root.at("etc/signet/agent.toml")));
        let other = Flags { state_dir: Some("/tmp/x".into()), ..Flags::default() };
        assert_eq!(machine.system(&other).unwrap_err().code, Code::Usage);
    }

    #[test]
    fn only_the_owner_of_the_system_vault_is_a_system_agent_and_never_root() {
        let root = Root::new();
        root.make("var/lib/signet", 0o700);
        let owner = root.machine(own_uid()).places(&Flags::default(), &home()).unwrap();
        assert_eq!(owner.system, own_uid() != 0);
        let stranger = root.machine(own_uid() + 1).places(&Flags::default(), &home()).unwrap();
        assert!(!stranger.system);
    }
}
