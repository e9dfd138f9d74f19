//! A whole private Signet: the built programs, directories of their own, and a person who answers from a
//! script.
//!
//! Promises: nothing of the machine's own Signet, AWS profiles or environment is seen; the agent listens
//! when [`Signet::start`] returns, and is gone when it is dropped; everything that fails says what the
//! programs said. It knows the programs by their command lines only (black box).

#![allow(clippy::expect_used, clippy::panic)] // a harness: what it cannot do fails the test, with a clear text

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::pcsc::Pcscd;

/// How long a program may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(5);

/// What the private Signet is connected to.
#[derive(Debug, Default)]
pub struct Setup<'a> {
    /// Kinds of token that `agent.toml` names.
    pub kinds: &'a [&'a str],
    /// The daemon with the cards.
    pub pcscd: Option<&'a Pcscd>,
    /// Base address of the AWS endpoint (`http://127.0.0.1:PORT`): where the cli sends to, and the one
    /// host for which the agent signs plain http.
    pub aws: Option<String>,
}

/// A running private Signet. Dropping it stops the agent and removes its files.
#[derive(Debug)]
pub struct Signet {
    dir: tempfile::TempDir,
    environment: BTreeMap<&'static str, OsString>,
    agent: Option<Child>,
    runs: AtomicU32,
}

/// How a program ended, and what it said.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A program under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: PathBuf,
    errors: PathBuf,
}

impl Signet {
    /// Makes the directories, writes `agent.toml` and starts the agent.
    ///
    /// # Panics
    /// When the programs are not built, or the agent does not start.
    #[must_use]
    pub fn start(setup: &Setup<'_>) -> Self {
        // Short: the paths of sockets end at 107 bytes.
        let dir =
            tempfile::Builder::new().prefix("sgt").tempdir().expect("a temporary directory can be made");
        for sub in ["home", "config", "state", "run", "answers", "out"] {
            let path = dir.path().join(sub);
            fs::create_dir(&path).expect("a directory can be made in our own");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("our directory is ours");
        }
        symlink(program("test-askpass"), dir.path().join("askpass"))
            .expect("a link can be made in our directory");
        let config = configuration(setup);
        fs::write(dir.path().join("config/agent.toml"), config).expect("the configuration can be written");

        let path = |name: &str| dir.path().join(name).into_os_string();
        let mut environment = BTreeMap::from([
            ("HOME", path("home")),
            ("XDG_CONFIG_HOME", path("home/.config")),
            ("XDG_STATE_HOME", path("home/.local/state")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("SIGNET_SOCK", path("run/agent.sock")),
            ("SIGNET_ASKPASS", path("askpass")),
            // No instance metadata, no paging, no colours: only what the test gives.
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("AWS_PAGER", "".into()),
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ]);
        if let Some(aws) = &setup.aws {
            environment.insert("AWS_ENDPOINT_URL", aws.into());
        }
        let mut signet = Self { dir, environment, agent: None, runs: AtomicU32::new(0) };
        signet.start_agent();
        signet
    }

    /// Starts the agent again, on the same vault.
    ///
    /// # Panics
    /// When it runs already, or does not come to listen.
    pub fn start_agent(&mut self) {
        assert!(self.agent.is_none(), "the agent runs already");
        let log = self.path("agent.log");
        let errors = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a file can be made in our directory");
        let mut agent = self
            .clean(&program("signet-agent"))
            .arg("--config")
            .arg(self.path("config/agent.toml"))
            .arg("--socket")
            .arg(self.socket())
            .arg("--state-dir")
            .arg(self.state_dir())
            .env_remove("SIGNET_SOCK")
            .stdin(Stdio::null())
            .stdout(errors.try_clone().expect("a file can be shared"))
            .stderr(errors)
            .spawn()
            .expect("signet-agent can be started");
        let mut listens = None;
        let ready = wait_until(|| {
            let ended = agent.try_wait().expect("our own child can be waited for");
            assert!(ended.is_none(), "signet-agent ended: {}", read(&log));
            listens = UnixStream::connect(self.socket()).ok();
            listens.is_some()
        });
        self.agent = Some(agent);
        assert!(ready, "signet-agent did not listen: {}", read(&log));
        // Asked and answered: when it has closed this connection it is idle until the next one.
        if let Some(mut asked) = listens {
            let question = b"GET /v1/status HTTP/1.1\r\nhost: signet\r\nconnection: close\r\n\r\n";
            asked.write_all(question).expect("signet-agent takes a question");
            let answered = asked.read_to_end(&mut Vec::new());
            assert!(answered.is_ok_and(|bytes| bytes > 0), "signet-agent gave no answer: {}", read(&log));
        }
    }

    /// Kills the agent as the kernel would (SIGKILL).
    pub fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            // An error means that it has ended by itself.
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }

    /// Asks the agent to end (SIGTERM) and waits for it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop_agent(&mut self) -> Option<ExitStatus> {
        let mut agent = self.agent.take()?;
        if let Some(pid) = i32::try_from(agent.id()).ok().and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .expect("our own child can be signalled");
        }
        let mut status = None;
        let ended = wait_until(|| {
            status = agent.try_wait().expect("our own child can be waited for");
            status.is_some()
        });
        if !ended {
            let _ = agent.kill(); // the test fails anyway
        }
        assert!(ended, "signet-agent did not end: {}", read(&self.path("agent.log")));
        status
    }

    /// The agent's process id, while it runs.
    #[must_use]
    pub fn agent_pid(&self) -> Option<u32> {
        self.agent.as_ref().map(Child::id)
    }

    /// What the agent has said.
    #[must_use]
    pub fn agent_log(&self) -> String {
        read(&self.path("agent.log"))
    }

    /// The agent's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path("run/agent.sock")
    }

    /// The vault.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// The person's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// A place of the test's own, gone with the rest.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Another variable for every program from now on.
    pub fn set_env(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.environment.insert(name, value.into());
    }

    /// Takes a variable away from every program from now on.
    pub fn unset_env(&mut self, name: &str) {
        self.environment.remove(name);
    }

    /// A program in the same surroundings, for a test that starts it in its own way.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        self.clean(program)
    }

    /// What the person answers to prompts of a kind (`pin`, `totp`, `confirm`, …), in order; the last
    /// answer stays. No answer at all cancels the prompt.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn answer(&self, kind: &str, answers: &[&str]) {
        let text: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
        fs::write(self.path("answers").join(kind), text).expect("a file can be made in our directory");
    }

    /// The prompts so far: kind and question.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, String)> {
        let split = |line: &str| line.split_once('\t').map(|(kind, text)| (kind.to_owned(), text.to_owned()));
        read(&self.path("asked")).lines().filter_map(split).collect()
    }

    /// How many prompts of a kind there were.
    #[must_use]
    pub fn times_asked(&self, kind: &str) -> usize {
        self.asked().iter().filter(|(asked, _)| asked == kind).count()
    }

    /// From now on nobody answers: questions stand until [`Signet::release`].
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn hold(&self) {
        fs::write(self.path("hold"), "").expect("a file can be made in our directory");
    }

    /// The person answers again.
    ///
    /// # Panics
    /// When nobody was held up.
    pub fn release(&self) {
        fs::remove_file(self.path("hold")).expect("a file in our directory can be removed");
    }

    /// How many connections the agent has at its socket.
    #[must_use]
    pub fn connections(&self) -> usize {
        // proc(5): the accepted end of a connection bears the path too; state 03 is connected.
        let socket = format!(" {}", self.socket().display());
        let table = read(Path::new("/proc/net/unix"));
        let connected = |line: &&str| line.ends_with(&socket) && line.split_whitespace().nth(5) == Some("03");
        table.lines().filter(connected).count()
    }

    /// Runs `signet` to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.begin(&program("signet"), arguments, b"").finish()
    }

    /// Runs `signet` to its end with something on its standard input.
    #[must_use]
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        self.begin(&program("signet"), arguments, input).finish()
    }

    /// Starts `signet` and does not wait for it.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str], input: &[u8]) -> Running {
        self.begin(&program("signet"), arguments, input)
    }

    /// Starts any other program (`aws`, `python3`) in the same surroundings.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn begin(&self, program: &Path, arguments: &[&str], input: &[u8]) -> Running {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| self.path("out").join(format!("{number}.{name}"));
        let (stdin, output, errors) = (file("in"), file("out"), file("err"));
        let create = |path: &Path| File::create(path).expect("a file can be made in our directory");
        create(&stdin).write_all(input).expect("a file in our directory can be written");
        let child = self
            .clean(program)
            .args(arguments)
            .stdin(File::open(&stdin).expect("our own file can be read"))
            .stdout(create(&output))
            .stderr(create(&errors))
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Running { child, output, errors }
    }

    fn clean(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(self.path("home"));
        command
    }
}

impl Drop for Signet {
    fn drop(&mut self) {
        self.kill_agent();
    }
}

impl Running {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// When the kernel does not tell.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our own child can be waited for").is_some()
    }

    /// Kills the program (SIGKILL).
    pub fn kill(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn finish(mut self) -> Ran {
        let mut status = None;
        wait_until(|| {
            status = self.child.try_wait().expect("our own child can be waited for");
            status.is_some()
        });
        let (stdout, stderr) = (read(&self.output), read(&self.errors));
        let Some(status) = status else {
            self.kill();
            panic!("the program did not end; it said:\n{stdout}{stderr}");
        };
        Ran { status, stdout, stderr }
    }
}

impl Ran {
    /// The exit code; -1 for one that was killed.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Demands success and gives the standard output.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{}:\n{}{}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Demands this exit code and gives the standard error.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[track_caller]
    #[must_use]
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code(), code, "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

fn configuration(setup: &Setup<'_>) -> String {
    let socket = setup.pcscd.map(Pcscd::socket).unwrap_or_default();
    let host = setup.aws.as_deref().and_then(|url| url.strip_prefix("http://"));
    let hosts: Vec<&str> = host.iter().map(|host| host.trim_end_matches('/')).collect();
    format!(
        "[token]\nkinds = {:?}\npcsc_socket = {:?}\n[aws]\nextra_hosts = {hosts:?}\n",
        setup.kinds,
        socket.display().to_string()
    )
}

/// A built program: it lies beside the test's own, two directories up.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a program knows where it is");
    let built = test.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|path| path.exists());
    built.unwrap_or_else(|| panic!("{name} is not built: cargo build --workspace"))
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Looks at a condition until it holds; false when it does not in time.
pub fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(PACE);
    }
    true
}
