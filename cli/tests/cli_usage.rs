//! What the command line says to a mistake, to a question for help, and where no agent is.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod stub;

use serde_json::Value;
use stub::signet;

fn failed(args: &[&str]) -> (i32, String, String) {
    let output = signet(args).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_mistake_is_exit_2_with_an_error_and_a_hint() {
    for args in [
        &["no-such-command"][..],
        &["add"],
        &["add", "x", "--kind", "user"],
        &["add", "x", "--kind", "root", "--csv", "a", "--stdin"],
        &["add", "x", "--kind", "root", "--totp", "new", "--no-factor"],
        &["sign", "x", "--service", "sts"],
        &["configure", "x", "--duration", "1d"],
        &["configure", "p", "--replace", "--remove"],
        &["add", "x", "--kind", "root", "--fido2", "--no-factor"],
        &["factor", "remove", "totp-1"],
        &["factor", "add", "fido2"],
        &["embed", "x", "--access-code", "--no-access-code"],
        &["reseal", "x"],
        &["reseal", "x", "--add", "1", "--drop", "2"],
        &["reseal", "x", "--rotated", "--add", "1"],
        &["verify"],
        &["restore"],
        &["drill"],
        &["token", "lost"],
        &["add", "x", "--kind", "root", "--custody", "elsewhere"],
        &["list", "--format", "xml"],
        &["completion", "tcsh"],
        &["list", "surplus"],
    ] {
        let (code, stdout, stderr) = failed(args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}");
        let lines: Vec<&str> = stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{args:?}: {stderr}");
        assert!(lines[0].starts_with("signet: error: ") && !lines[0].ends_with('.'), "{stderr}");
        assert!(lines[1].starts_with("signet: hint: signet "), "{stderr}");
    }
}

#[test]
fn a_mistake_is_a_document_where_json_was_asked_for() {
    let (code, stdout, _) = failed(&["-o", "json", "add", "x"]);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &document["error"]["code"], &document["version"]), (2, &"usage".into(), &1.into()));
    // standard output belongs to the AWS tools there
    let (code, stdout, stderr) = failed(&["credential-process", "-o", "json"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    let document: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(document["error"]["code"], "usage");
}

#[test]
fn without_an_agent_it_is_exit_69_and_says_how_to_start_one() {
    for args in [
        &["list"][..],
        &["status"],
        &["token", "list"],
        &["sign", "x", "--service", "sts", "--region", "us-east-1"],
        &["forget"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("none.sock");
        let args = [args, &["--socket", socket.to_str().unwrap(), "-o", "json"]].concat();
        let mut command = signet(&args);
        command.env("HOME", dir.path());
        let output = stub::with_stdin(
            command,
            "GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nhost: sts.us-east-1.amazonaws.com\r\n\r\n",
        );
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (output.status.code(), &document["error"]["code"]),
            (Some(69), &"no_agent".into()),
            "{args:?}"
        );
        let hint = document["error"]["hint"].as_str().unwrap();
        assert_eq!(hint, format!("signet-agent --socket {}", socket.display()));
    }
}

#[test]
fn credential_process_fails_with_one_line_and_an_empty_stdout() {
    let (code, stdout, stderr) =
        failed(&["credential-process", "x", "--socket", "/nonexistent/sock", "--region", "us-east-1"]);
    assert_eq!((code, stdout.as_str(), stderr.lines().count()), (69, "", 1), "{stderr}");
    assert!(stderr.starts_with("signet: error: no agent at /nonexistent/sock"), "{stderr}");
    assert!(stderr.contains("signet: hint: signet-agent"), "{stderr}");
}

#[test]
fn a_server_of_another_user_is_not_spoken_to() {
    // the one socket of another user that a test can count on is one that it makes as that user:
    // only root can, and root's own agent is allowed, so the file's own uid is what differs
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "import os,socket,sys\nos.setgid(4242);os.setuid(4242)\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\nprint('up',flush=True)\nc,_=s.accept()\nprint(len(c.recv(1)),flush=True)\n";
    let path = dir.path().join("agent.sock");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(dir.path(), mode).unwrap();
    let mut server = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    stub::until("the foreign server listens", || path.exists());
    let output = signet(&["list", "--socket", path.to_str().unwrap()]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    // it may be caught between bind and listen: then nobody listens, and nothing is proved
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert!(stderr.contains("belongs to uid 4242") || stderr.contains("nobody listens"), "{stderr}");
    server.kill().unwrap();
    let heard = server.wait_with_output().unwrap().stdout;
    assert!(!String::from_utf8(heard).unwrap().contains('1'), "something was said to it");
}

#[test]
fn every_command_has_help_with_an_example() {
    let mut open = vec![Vec::<String>::new()];
    let mut count = 0;
    while let Some(path) = open.pop() {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let (code, stdout, stderr) = failed(&args);
        assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
        let first = stdout.lines().next().unwrap_or_default();
        assert!(first.contains(' ') && !first.contains('`'), "{args:?} is headed {first:?}");
        let example =
            stdout.split("Example:\n  signet").nth(1).unwrap_or_else(|| panic!("{args:?} has no example"));
        assert_eq!(example.trim().lines().count(), 1, "{args:?}");
        assert!(path.is_empty() || stdout.contains("--no-prompt"), "{args:?}");
        let commands = stdout.split("Commands:\n").nth(1).unwrap_or_default();
        for line in commands.lines().take_while(|line| !line.is_empty()) {
            let name = line.split_whitespace().next().unwrap().to_owned();
            open.push([path.clone(), vec![name]].concat());
        }
        count += 1;
    }
    assert!(count > 36, "only {count} commands were found");
}

#[test]
fn the_other_spellings_are_taken() {
    for args in
        [&["ls", "--help"][..], &["rm", "--help"], &["token", "enroll", "--help"], &["token", "ls", "--help"]]
    {
        assert_eq!(failed(args).0, 0, "{args:?}");
    }
    let (code, stdout, _) = failed(&["--version"]);
    assert_eq!((code, stdout), (0, format!("signet {}\n", env!("CARGO_PKG_VERSION"))));
}
