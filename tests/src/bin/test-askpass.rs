//! The person at the prompts, for tests: answers from files in the directory where this program (or the
//! link to it) lies.
//!
//! `answers/KIND` holds one answer a line for the prompts of that kind, in order; the last one stays for
//! all further prompts. No file, or an empty one: the prompt is cancelled. Each question is noted in
//! `asked`, one line of kind and text. A touch notice stays until it is ended. While there is a file
//! `hold`, nobody answers: the questions are noted, and stand.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Error, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os();
    let program = PathBuf::from(arguments.next().unwrap_or_default());
    let question = arguments.next().unwrap_or_default();
    let kind = std::env::var("SIGNET_PROMPT").map_err(Error::other)?;
    let dir = program.parent().ok_or_else(|| Error::other("started without a path"))?;

    // Held while files are read and written: prompts asked at once get their answers one after the other.
    let lock = File::create(dir.join("lock"))?;
    lock.lock()?;
    let mut asked = OpenOptions::new().create(true).append(true).open(dir.join("asked"))?;
    let text = question.to_string_lossy().replace('\n', " / ");
    asked.write_all(format!("{kind}\t{text}\n").as_bytes())?;
    lock.unlock()?;
    if kind == "touch" {
        loop {
            thread::park();
        }
    }
    while dir.join("hold").exists() {
        thread::sleep(Duration::from_millis(5));
    }
    lock.lock()?;

    let file = dir.join("answers").join(&kind);
    let answers = fs::read_to_string(&file).unwrap_or_default();
    let (answer, rest) = answers.split_once('\n').unwrap_or((&answers, ""));
    if !rest.is_empty() {
        fs::write(&file, rest)?;
    }
    if answer.is_empty() {
        return Err(Error::other("nobody answers"));
    }
    if kind == "confirm" && answer != "yes" {
        return Err(Error::other("no"));
    }
    writeln!(io::stdout(), "{answer}")
}
