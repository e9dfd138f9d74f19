//! A private `pcscd` with the `vpcd` reader, one per test.
//!
//! Promises: a daemon of its own on a Unix socket of its own (given to the code under test as
//! `[token] pcsc_socket` or `PCSCLITE_CSOCK_NAME`), two empty readers (or more) on free ports, ready when
//! [`Pcscd::start`] returns, stopped without traces when dropped, and also when the test is killed. Any
//! number of them run side by side, as root or as an ordinary user. Where something is missing the test
//! fails with the command that installs it; it is never skipped.
//!
//! How: `pcscd` takes no socket path, but it accepts a listening socket on fd 3 the way systemd hands
//! one over (`sd_listen_fds(3)`). The listener becomes the standard input of a small shell, which
//! moves it to fd 3 and turns into `pcscd`, so that no unsafe code is needed. As root the daemon gets
//! a mount namespace, because it would otherwise overwrite the pid file of the system's `pcscd` and
//! take hold of real USB readers.

#![allow(clippy::expect_used, clippy::panic)] // a harness: what it cannot do fails the test, with a clear text

mod hand;
mod log;
mod ports;
mod wire;

use std::fs;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use hand::Hand;
use log::Log;
use ports::Pair;
pub use wire::ReaderState;

/// How long a daemon or a reader may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The name the readers carry: the shape real YubiKeys have, which `ykman` reads the transport from.
pub const READER: &str = "Yubico YubiKey OTP+FIDO+CCID";

/// Where Debian's and Fedora's vpcd packages put the driver.
const DRIVERS: [&str; 2] =
    ["/usr/lib/pcsc/drivers/serial/libifdvpcd.so", "/usr/lib64/pcsc/drivers/serial/libifdvpcd.so"];

/// Moves the listener to fd 3 and becomes pcscd. `$1` is our directory, `$2` the daemon, `$3` this text.
/// Standard output is one end of a pair of sockets; a small guard waits at it for the end of file, which
/// comes when the test drops the daemon and also when the test is killed, and then stops the daemon.
const BECOME: &str = r#"
if [ "$(id -u)" = 0 ]; then
    mkdir -p /run/pcscd
    if [ -z "$SIGNET_TEST_NS" ] && unshare -m true 2>/dev/null; then
        SIGNET_TEST_NS=1; export SIGNET_TEST_NS
        exec unshare -m --propagation private sh -c "$3" sh "$1" "$2" "$3"
    fi
    if [ -n "$SIGNET_TEST_NS" ]; then
        mount --bind "$1/run" /run/pcscd || exit 1
        bundle=/usr/lib/pcsc/drivers/ifd-ccid.bundle
        if [ -d "$bundle" ]; then mount --bind "$1/none" "$bundle" || exit 1; fi
    fi
elif [ ! -d /run/pcscd ]; then
    echo "pcscd of an ordinary user needs a directory that is not there: sudo mkdir /run/pcscd" >&2; exit 1
fi
(read -r _ <&1; kill -TERM $$) 2>/dev/null &
exec 3<&0 </dev/null
LISTEN_PID=$$ LISTEN_FDS=1 exec "$2" --foreground --info -c "$1/conf"
"#;

/// A running private daemon. Dropping it stops it.
#[derive(Debug)]
pub struct Pcscd {
    daemon: Child,
    leash: UnixStream,
    dir: tempfile::TempDir,
    log: Arc<Log>,
    pairs: Vec<Pair>,
    slots: Arc<[AtomicBool]>,
}

impl Pcscd {
    /// Starts a daemon with two readers and waits until it is ready.
    ///
    /// # Panics
    /// With a clear text when `pcscd` or `vpcd` is missing or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(1)
    }

    /// The same with so many pairs of readers.
    ///
    /// # Panics
    /// As [`Pcscd::start`].
    #[must_use]
    pub fn start_with(pairs: usize) -> Self {
        let pcscd = find_pcscd();
        let driver = DRIVERS.iter().map(Path::new).find(|path| path.exists()).unwrap_or_else(|| {
            panic!(
                "the vpcd driver is not installed: apt-get install --no-install-recommends vsmartcard-vpcd"
            )
        });
        for _ in 0..8 {
            if let Some(running) = Self::try_start(&pcscd, driver, pairs) {
                return running;
            }
        }
        panic!("pcscd found no free ports for its readers in eight attempts")
    }

    /// One attempt; `None` when somebody else took one of the ports between our probe and the start.
    fn try_start(pcscd: &Path, driver: &Path, pairs: usize) -> Option<Self> {
        let pairs: Vec<Pair> = std::iter::repeat_with(Pair::claim).take(pairs).collect();
        let dir =
            tempfile::Builder::new().prefix("sgp").tempdir().expect("a temporary directory can be made");
        for sub in ["conf", "run", "none"] {
            fs::create_dir(dir.path().join(sub)).expect("a directory can be made in our own");
        }
        // One loaded driver knows two ports only; a copy of the file is another driver.
        let copy = |number: u8| {
            let copy = dir.path().join(format!("driver{number}.so"));
            fs::copy(driver, &copy).expect("the driver can be copied into our directory");
            copy
        };
        let entry = |(number, Pair { port, .. }): (u8, &Pair)| {
            let driver = if number == 0 { driver.to_owned() } else { copy(number) };
            let (name, driver) = (family(number), driver.display());
            format!(
                "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:{port}\nLIBPATH {driver}\nCHANNELID {port}\n"
            )
        };
        let conf: String = (0..).zip(&pairs).map(entry).collect();
        fs::write(dir.path().join("conf/vpcd"), conf).expect("the reader's configuration can be written");
        let Started { daemon, leash, log } = Started::in_dir(dir.path(), pcscd);

        let found = log.wait_for(&["daemon ready", "Could not initialize", "Could not bind"], PATIENCE);
        let slots = pairs.iter().flat_map(|_| [AtomicBool::default(), AtomicBool::default()]).collect();
        let running = Self { daemon, leash, dir, log, pairs, slots };
        match found {
            Some("daemon ready") if running.has_all_readers() => Some(running),
            Some(_) => None,
            None => panic!("pcscd did not start; it said:\n{}", running.log.text()),
        }
    }

    /// The socket: `[token] pcsc_socket` of the code under test, `PCSCLITE_CSOCK_NAME` of other tools.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// A command that speaks to this daemon.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PCSCLITE_CSOCK_NAME", self.socket());
        command
    }

    /// The full name of a reader (0 or 1; more with more pairs), as clients see it.
    #[must_use]
    pub fn reader(&self, index: u8) -> String {
        format!("{} 00 {:02}", family(index / 2), index % 2)
    }

    /// What the daemon has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The readers as the daemon shows them to a client now.
    #[must_use]
    pub fn readers(&self) -> Vec<ReaderState> {
        let mut stream = self.connect();
        wire::readers(&mut stream).expect("pcscd tells its readers")
    }

    /// The daemon's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.daemon.id()
    }

    /// Waits until a reader is occupied (or empty).
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn wait_for_card(&self, index: u8, present: bool) {
        Hand::of(self, index).wait_for(present);
    }

    fn has_all_readers(&self) -> bool {
        self.readers().len() == self.slots.len()
    }

    fn connect(&self) -> UnixStream {
        wire::connect(&self.socket()).expect("pcscd accepts a client")
    }

    /// Takes the first free reader for a card.
    pub(crate) fn take_slot(&self) -> Hand {
        let free = (0_u8..)
            .zip(self.slots.iter())
            .find(|(_, used)| !used.swap(true, Ordering::SeqCst))
            .map(|(index, _)| index)
            .expect("every reader of this pcscd holds a card");
        Hand::of(self, free)
    }
}

/// What is new at each start of a daemon.
struct Started {
    daemon: Child,
    leash: UnixStream,
    log: Arc<Log>,
}

impl Started {
    /// Starts the daemon on the socket `s` of its directory.
    fn in_dir(dir: &Path, pcscd: &Path) -> Self {
        let socket = dir.join("s");
        let listener = UnixListener::bind(&socket).expect("a Unix socket can be made in our directory");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).expect("our socket is ours");
        let (leash, theirs) = UnixStream::pair().expect("a pair of sockets can be made");
        let errors = theirs.try_clone().expect("a socket can be shared");
        let daemon = Command::new("sh")
            .args(["-c", BECOME, "sh"])
            .arg(dir)
            .arg(pcscd)
            .arg(BECOME)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::from(OwnedFd::from(errors)))
            .spawn()
            .expect("sh can be started");
        let log = Arc::new(Log::default());
        log.follow(leash.try_clone().expect("a socket can be shared"));
        Self { daemon, leash, log }
    }
}

impl Pcscd {
    /// Stops the daemon, as `systemctl stop` does; its cards are without a reader until
    /// [`Pcscd::go_on`] and [`crate::card::Card::reinsert`].
    pub fn stop(&mut self) {
        // The guard sees the end of file and stops the daemon. An error means that both have ended.
        let _ = self.leash.shutdown(Shutdown::Write);
        let deadline = Instant::now() + Duration::from_secs(3);
        while matches!(self.daemon.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        // After a clean end both do nothing.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        // An error means that it has been stopped before.
        let _ = fs::remove_file(self.socket());
    }

    /// Starts the daemon anew after [`Pcscd::stop`], on the same socket and with the same readers.
    ///
    /// # Panics
    /// When it does not start.
    pub fn go_on(&mut self) {
        let Started { daemon, leash, log } = Started::in_dir(self.dir.path(), &find_pcscd());
        (self.daemon, self.leash, self.log) = (daemon, leash, log);
        let ready = self.log.wait_for(&["daemon ready"], PATIENCE).is_some() && self.has_all_readers();
        assert!(ready, "pcscd did not start again; it said:\n{}", self.log.text());
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The name that a pair of readers shares; pcscd tells readers apart by it.
fn family(pair: u8) -> String {
    match pair {
        0 => READER.to_owned(),
        more => format!("{READER} ({more})"),
    }
}

fn find_pcscd() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|dir| dir.join("pcscd"))
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("pcscd is not installed: apt-get install --no-install-recommends pcscd"))
}
