//! Where the files of the AWS tools are, and how they are read and replaced.

use super::Ini;
use signet_protocol::{Code, Refusal};
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest file that is read.
const LIMIT: usize = 1 << 20;

/// The two files.
pub(crate) struct Files {
    /// Profiles: `AWS_CONFIG_FILE`, or `~/.aws/config`.
    pub(crate) config: PathBuf,
    /// Keys: `AWS_SHARED_CREDENTIALS_FILE`, or `~/.aws/credentials`.
    pub(crate) credentials: PathBuf,
}

impl Files {
    /// Finds them as the SDKs do.
    pub(crate) fn find() -> Result<Self, Refusal> {
        Ok(Self {
            config: named("AWS_CONFIG_FILE", ".aws/config")?,
            credentials: named("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")?,
        })
    }
}

fn named(variable: &str, usual: &str) -> Result<PathBuf, Refusal> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(variable).or_else(|| set("HOME").map(|home| home.join(usual))).ok_or_else(|| {
        Refusal::bare(
            Code::Usage,
            format!("neither {variable} nor HOME is set: the files of the aws tools are not found"),
        )
    })
}

/// Reads a file; one that is not there is empty.
pub(crate) fn read(path: &Path) -> Result<Ini, Refusal> {
    match bytes(path) {
        Ok(bytes) => Ok(Ini::new(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ini::new(Zeroizing::default())),
        Err(error) => Err(failed(path, &error)),
    }
}

/// The bytes of a file in memory that is wiped.
pub(crate) fn bytes(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file is too large"));
    }
    // room for everything from the start: growing would leave a copy behind
    let mut out = Zeroizing::new(Vec::with_capacity(LIMIT.min(length.saturating_add(4096))));
    let mut buffer = Zeroizing::new([0_u8; 4096]);
    loop {
        let count = file.read(buffer.as_mut_slice())?;
        let got = buffer.get(..count).unwrap_or_default();
        if got.is_empty() {
            return Ok(out);
        }
        if out.len() + got.len() > out.capacity() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file grows while it is read"));
        }
        out.extend_from_slice(got);
    }
}

/// Replaces a file at once, with the mode that it had; a new one is private. A link stays a link.
pub(crate) fn write(path: &Path, ini: &Ini) -> Result<(), Refusal> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    replace(&target, ini.bytes()).map_err(|error| failed(path, &error))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(dir)?;
    let mode = fs::metadata(path).map_or(0o600, |meta| meta.permissions().mode() & 0o777);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = dir.join(format!(".{name}.signet-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // the failure itself is told; a leftover is only untidy
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(dir)?.sync_all()
}

fn failed(path: &Path, error: &io::Error) -> Refusal {
    Refusal::bare(Code::BadRequest, format!("{}: {error}", path.display()))
}
