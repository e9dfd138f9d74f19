//! The machine as far as a command that repairs something depends on it: who types, what installs
//! packages, what starts services. And how a word is written so that a shell leaves it as it is.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// A system of packages, and what it calls the things that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packages {
    program: &'static str,
    install: &'static str,
    /// The PC/SC service, with the driver of USB readers.
    pub(super) pcscd: &'static str,
    /// The driver of USB readers alone.
    pub(super) ccid: &'static str,
    /// A pinentry.
    pub(super) pinentry: &'static str,
}

/// Where programs that install packages lie, and what they are told. The first is also the guess.
const MANAGERS: [Packages; 4] = [
    Packages {
        program: "/usr/bin/apt-get",
        install: "apt install",
        pcscd: "pcscd",
        ccid: "libccid",
        pinentry: "pinentry-curses",
    },
    Packages {
        program: "/usr/bin/dnf",
        install: "dnf install",
        pcscd: "pcsc-lite pcsc-lite-ccid",
        ccid: "pcsc-lite-ccid",
        pinentry: "pinentry",
    },
    Packages {
        program: "/usr/bin/pacman",
        install: "pacman -S",
        pcscd: "pcsclite ccid",
        ccid: "ccid",
        pinentry: "pinentry",
    },
    Packages {
        program: "/usr/bin/zypper",
        install: "zypper install",
        pcscd: "pcsc-lite pcsc-ccid",
        ccid: "pcsc-ccid",
        pinentry: "pinentry",
    },
];

/// What starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Services {
    /// systemd.
    Systemd,
    /// A script in `/etc/init.d` for pcscd.
    Script,
    /// Nothing that is known.
    None,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Who types is root.
    pub(super) root: bool,
    pub(super) packages: Packages,
    pub(super) services: Services,
    /// The program of the PC/SC service is installed.
    pub(super) pcscd: bool,
}

impl Machine {
    /// Looks at this one.
    pub(super) fn look() -> Self {
        let there = |path: &str| Path::new(path).exists();
        let services = if there("/run/systemd/system") {
            Services::Systemd
        } else if there("/etc/init.d/pcscd") {
            Services::Script
        } else {
            Services::None
        };
        Self {
            root: rustix::process::geteuid().is_root(),
            packages: MANAGERS.into_iter().find(|it| there(it.program)).unwrap_or(MANAGERS[0]),
            services,
            pcscd: there("/usr/sbin/pcscd") || there("/usr/bin/pcscd") || there("/usr/local/sbin/pcscd"),
        }
    }

    /// A command that only root may do.
    pub(super) fn as_root(&self, command: &str) -> String {
        if self.root { command.to_owned() } else { format!("sudo {command}") }
    }

    /// Installs packages.
    pub(super) fn install(&self, packages: &str) -> String {
        self.as_root(&format!("{} {packages}", self.packages.install))
    }

    /// Starts the PC/SC service, for good where that is known how.
    pub(super) fn start_pcscd(&self) -> String {
        let start = self.as_root(match self.services {
            Services::Systemd => "systemctl enable --now pcscd.socket",
            Services::Script => "service pcscd start",
            Services::None => "pcscd",
        });
        if self.pcscd { start } else { format!("{} && {start}", self.install(self.packages.pcscd)) }
    }

    /// Starts the PC/SC service anew.
    pub(super) fn restart_pcscd(&self) -> String {
        self.as_root(match self.services {
            Services::Systemd => "systemctl restart pcscd.socket pcscd.service",
            Services::Script => "service pcscd restart",
            Services::None => "pcscd --hotplug",
        })
    }
}

/// Where the person's configuration of Signet lies (XDG Base Directory Specification).
pub(super) fn config_dir() -> PathBuf {
    let set = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    base.unwrap_or_default().join("signet")
}

/// The name of a user; none where the file of users has none for him.
pub(super) fn user(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    })
}

/// A word as a shell reads it back.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+:=@,-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path as a shell reads it back.
pub(super) fn path(path: &Path) -> String {
    word(&path.to_string_lossy())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// A machine with systemd and apt, and an ordinary user.
    pub(in super::super) const PLAIN: Machine =
        Machine { root: false, packages: MANAGERS[0], services: Services::Systemd, pcscd: true };

    #[test]
    fn a_missing_service_is_installed_and_started() {
        assert_eq!(PLAIN.start_pcscd(), "sudo systemctl enable --now pcscd.socket");
        let bare = Machine { pcscd: false, root: true, services: Services::Script, ..PLAIN };
        assert_eq!(bare.start_pcscd(), "apt install pcscd && service pcscd start");
    }

    #[test]
    fn a_shell_reads_words_back() {
        for text in ["", "a b", "$HOME", "it's", "a\nb", "*", "-x", "/run/user/0/s"] {
            let told =
                std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", word(text))).output();
            assert_eq!(told.unwrap().stdout, text.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn root_has_a_name() {
        assert_eq!(user(0).as_deref(), Some("root"));
    }
}
