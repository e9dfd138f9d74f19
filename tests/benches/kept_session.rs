//! `signet credential-process` with a session that is kept, beside an empty Rust program and `cat`: what
//! an SDK waits for when nobody has to be asked. The figures that count are the ratios of one run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod programs;
#[path = "../tests/ready/mod.rs"]
mod ready;

use criterion::{Criterion, criterion_group, criterion_main};
use programs::run;
use ready::Ready;
use std::process::Command;
use std::time::Duration;

fn benches(c: &mut Criterion) {
    let directory = programs::built();
    programs::on_one_processor();
    let ready = Ready::root();
    let document = ready.path("document");
    std::fs::write(&document, ready.credentials(&[]).ok()).unwrap();
    ready.forget_questions();

    let mut group = c.benchmark_group("kept session");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.bench_function("empty program", |b| b.iter(|| run(&mut Command::new(programs::empty()))));
    group.bench_function("cat", |b| b.iter(|| run(Command::new("/bin/cat").arg(&document))));
    let mut signet = |what: &str, arguments: &[&str]| {
        let mut command = Command::new(directory.join("signet"));
        command.args(arguments).env_clear();
        command.env("SIGNET_SOCK", ready.socket()).env("AWS_ENDPOINT_URL", ready.aws.url());
        group.bench_function(what, |b| b.iter(|| run(&mut command)));
    };
    signet("signet --version", &["--version"]);
    signet("signet list", &["list"]);
    signet("signet credential-process", &["credential-process", ready::NAME, "--region", "us-east-1"]);
    group.finish();
    assert!(ready.asked().is_empty(), "a kept session was not served");
}

criterion_group!(kept_session, benches);
criterion_main!(kept_session);
