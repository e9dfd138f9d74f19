//! A file of configuration: ours or root's, and nobody else can write it.

use super::ConfigError;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Longest configuration or policy file, in bytes.
const LONGEST: u64 = 256 * 1024;

/// The text of a file of configuration; `None` when it is not there. A link is followed: what counts
/// is who can write the file that is read.
///
/// # Errors
/// When it belongs to somebody else, others can write it, or it cannot be read as text.
pub fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let wrong = |message: String| ConfigError::about(path, message);
    // NONBLOCK: a FIFO in its place must not hang the agent.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(wrong(format!("cannot be opened: {error}"))),
    };
    let stat = rustix::fs::fstat(&fd).map_err(|error| wrong(format!("cannot be looked at: {error}")))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(wrong("is not a regular file".to_owned()));
    }
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(wrong("belongs to another user".to_owned()));
    }
    if stat.st_mode & 0o022 != 0 {
        let hint = format!("chmod go-w {}", path.display());
        return Err(ConfigError { hint: Some(hint), ..wrong("can be written by other users".to_owned()) });
    }
    let mut text = String::new();
    let read = File::from(fd).take(LONGEST + 1).read_to_string(&mut text);
    let length = read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if u64::try_from(length).is_ok_and(|length| length <= LONGEST) {
        Ok(Some(text))
    } else {
        Err(wrong("is longer than 256 KiB".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_file_that_others_can_write_is_refused_with_its_repair() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(&path, "text").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), "text");
        symlink(&path, dir.path().join("link")).unwrap();
        assert_eq!(read(&dir.path().join("link")).unwrap().unwrap(), "text");
        for mode in [0o664, 0o646] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.hint.unwrap(), format!("chmod go-w {}", path.display()));
        }
    }

    #[test]
    fn what_is_no_text_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap_err().message.contains("regular"));
        let path = dir.path().join("agent.toml");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(read(&path).unwrap_err().message.contains("cannot be read"));
        fs::write(&path, vec![b'#'; 300_000]).unwrap();
        assert!(read(&path).unwrap_err().message.contains("longer"));
    }
}
