//! `strict-aws`: the strict endpoint of the tests as a program, for the demo and for trying things out.

use signet_tests::aws::{Config, StrictAws};
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: strict-aws [--listen 127.0.0.1:0] [--port-file FILE] [--account 123456789012] [--region us-east-1]
                  [--root-key ID:SECRET] [--iam-user-key USER:ID:SECRET]… [--mfa-seed BASE32]
                  [--bucket NAME]… [--queue NAME]… [--until-stdin-closes]

Prints its address and serves STS, IAM, S3 and SQS there until SIGTERM.
Buckets and queues begin with a policy that denies everybody but root.";

struct Arguments {
    config: Config,
    port_file: Option<String>,
    until_stdin_closes: bool,
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut config = Config::default();
    let (mut port_file, mut until_stdin_closes) = (None, false);
    let (mut buckets, mut queues) = (Vec::new(), Vec::new());
    while let Some(flag) = words.next() {
        if flag == "--until-stdin-closes" {
            until_stdin_closes = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{flag} is not known, or lacks its value"))?;
        let parts: Vec<&str> = value.splitn(3, ':').collect();
        match (flag.as_str(), parts.as_slice()) {
            ("--listen", _) => {
                config.listen = value.parse().map_err(|error| format!("--listen {value}: {error}"))?
            }
            ("--port-file", _) => port_file = Some(value),
            ("--account", _) => config.account = value,
            ("--region", _) => config.region = value,
            ("--mfa-seed", _) => config.mfa_seed = Some(value),
            ("--bucket", _) => buckets.push(value),
            ("--queue", _) => queues.push(value),
            ("--root-key", [id, secret]) => config.root_key = Some(((*id).into(), (*secret).into())),
            ("--iam-user-key", [user, id, secret]) => {
                config.iam_user_keys.push(((*user).into(), (*id).into(), (*secret).into()));
            }
            _ => return Err(format!("{flag} {value} is not understood")),
        }
    }
    if !buckets.is_empty() {
        config.buckets = buckets;
    }
    if !queues.is_empty() {
        config.queues = queues;
    }
    Ok(Arguments { config, port_file, until_stdin_closes })
}

/// Written beside and renamed, so that nobody reads half a number.
fn write_port(file: &str, port: u16) -> std::io::Result<()> {
    let beside = Path::new(file).with_extension("new");
    std::fs::write(&beside, format!("{port}\n"))?;
    std::fs::rename(beside, file)
}

fn run() -> Result<(), String> {
    let arguments = read(std::env::args().skip(1))?;
    let endpoint = StrictAws::start(&arguments.config).map_err(|error| error.to_string())?;
    if let Some(file) = &arguments.port_file {
        write_port(file, endpoint.addr().port()).map_err(|error| format!("{file}: {error}"))?;
    }
    println!("{}", endpoint.url());
    if arguments.until_stdin_closes {
        // Whatever comes is of no interest, only that it ends; an error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    } else {
        endpoint.wait();
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strict-aws: {error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
