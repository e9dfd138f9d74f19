//! A clock that is off, for one program: a shared object that answers `clock_gettime(CLOCK_REALTIME)` with
//! some seconds more. Made with the C compiler that links Rust's programs anyway.

#![allow(dead_code, unreachable_pub)] // each test program uses its part

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    const char *off = getenv(\"TEST_CLOCK_OFF\");
    if (!failed && id == CLOCK_REALTIME && off) now->tv_sec += atol(off);
    return failed;
}
";

/// The variables that put a program's clock off by some seconds.
pub fn by(seconds: i64, dir: &Path) -> [(&'static str, OsString); 2] {
    let (source, object) = (dir.join("clock.c"), dir.join("clock.so"));
    fs::write(&source, SOURCE).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&object).arg(&source).output();
    let made = made.expect("a C compiler is installed: apt-get install build-essential");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    [("LD_PRELOAD", object.into_os_string()), ("TEST_CLOCK_OFF", seconds.to_string().into())]
}
