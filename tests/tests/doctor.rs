//! `signet doctor` on set-ups that are broken in one way each: what it finds, what it says to type, and
//! that typing it helps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod diagnosis;
mod shifted_clock;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use diagnosis::{House, NEXT, USER, document, findings, follow, hint, is, levels, look, one, only, typed};
use signet_tests::harness::{Signet, wait_until};

fn write_aws_file(signet: &Signet, name: &str, text: &str) {
    fs::create_dir_all(signet.home().join(".aws")).unwrap();
    fs::write(signet.home().join(".aws").join(name), text).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Ends an agent that a typed command has started, at the end of the test.
struct Started(String);

impl Started {
    fn of(signet: &Signet) -> Self {
        let status = document(&signet.run(&["status", "-o", "json"]).ok());
        Self(status["pid"].to_string())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // an error means that it has ended
        let _ = std::process::Command::new("kill").arg(&self.0).status();
    }
}

#[test]
fn a_set_up_that_works_has_warnings_and_nothing_wrong() {
    let house = House::with_root_key();
    fs::remove_file(house.path("asked")).unwrap();
    let found = look(&house);
    assert!(found.iter().all(|it| it["level"] != "wrong"), "{found:#?}");
    for check in ["agent", "pcscd", "prompt", "pinentry", "state", "clock", "profiles", "plaintext"] {
        assert_eq!(levels(&found, check), ["ok"], "{check}: {found:#?}");
    }
    assert_eq!(levels(&found, "socket"), ["ok"]);
    assert_eq!(hint(one(&found, "prod is sealed to one token")), "signet token enrol");
    assert_eq!(hint(one(&found, "without a second factor")), "signet factor add totp --key prod");
    assert!(is(one(&found, "copied nowhere"), "warning", "audit"));
    let host = house.aws.addr().to_string();
    assert!(is(one(&found, &host), "warning", "hosts"), "plain http is not passed over in silence");
    assert!(!house.path("asked").exists(), "nobody was asked");
}

#[test]
fn without_an_agent_the_rest_is_looked_at_and_the_command_starts_one() {
    let mut house = House::with_user_key();
    house.kill_agent();
    write_aws_file(&house, "credentials", "[old]\naws_access_key_id = AKIAOLD\n");
    let found = look(&house);
    assert!(is(only(&found, "agent"), "wrong", "agent"));
    assert_eq!(levels(&found, "plaintext"), ["wrong"]);
    assert_eq!(levels(&found, "prompt"), ["ok"]);
    assert!(levels(&found, "keys").is_empty(), "nothing is guessed");
    // the agent that a person starts reads where its files are from the same environment
    let (state, config) = (house.state_dir(), house.path("config/agent.toml"));
    house.set_env("SIGNET_STATE_DIR", state);
    house.set_env("SIGNET_CONFIG", config);
    let _ = follow(&house, only(&found, "agent"));
    assert!(wait_until(|| UnixStream::connect(house.socket()).is_ok()));
    let _started = Started::of(&house);
    assert_eq!(levels(&look(&house), "agent"), ["ok"]);
}

#[test]
fn what_others_can_reach_is_wrong_and_the_command_closes_it() {
    let house = House::with_user_key();
    let record = house.state_dir().join("keys/prod.age");
    let run = house.socket().parent().unwrap().to_owned();
    let cases: [(&str, PathBuf, u32, u32, &str); 4] = [
        ("socket", house.socket(), 0o666, 0o600, "has mode 666; others can reach it"),
        ("socket", run, 0o777, 0o755, "the directory of the socket, has mode 777"),
        ("state", house.state_dir(), 0o755, 0o700, "has mode 755; others can reach it"),
        ("state", record, 0o644, 0o600, "others can reach: keys/prod.age"),
    ];
    for (check, path, open, closed, part) in cases {
        set_mode(&path, open);
        let found = look(&house);
        let finding = one(&found, part);
        assert!(is(finding, "wrong", check), "{finding}");
        let _ = follow(&house, finding);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, closed, "{}", path.display());
        assert_eq!(levels(&look(&house), check), ["ok"]);
    }
}

#[test]
fn a_profile_that_would_win_is_named_with_file_and_line_and_the_command_ends_it() {
    let house = House::with_user_key();
    let _ = house.run(&["configure", "prod"]).ok();
    assert_eq!(levels(&look(&house), "profiles"), ["ok"]);
    write_aws_file(
        &house,
        "credentials",
        "[prod]\naws_access_key_id = AKIASTALE\naws_secret_access_key = stale\n",
    );
    let found = look(&house);
    let file = house.home().join(".aws/credentials").display().to_string();
    let finding = one(&found, &format!("aws_access_key_id in {file} line 2 wins"));
    assert_eq!(one(&found, &format!("aws_secret_access_key in {file} line 3 wins"))["level"], "wrong");
    assert!(is(one(&found, &format!("in plain text in {file} line 2")), "wrong", "plaintext"));
    assert!(!found.iter().any(|it| it.to_string().contains("stale\"")), "no secret is shown");
    let _ = follow(&house, finding);
    let found = look(&house);
    assert_eq!(levels(&found, "profiles"), ["ok"], "{found:#?}");
    // it stands in a comment still, and that is found too
    let comment = one(&found, &format!("a secret stands in a comment in {file} line 3"));
    let _ = follow(&house, comment);
    assert_eq!(levels(&look(&house), "plaintext"), ["ok"]);
    assert_eq!(fs::read_to_string(file).unwrap(), "[prod]\n");
}

#[test]
fn a_variable_that_wins_is_unset() {
    let mut house = House::new();
    house.set_env("AWS_SECRET_ACCESS_KEY", "x");
    let found = look(&house);
    let finding = one(&found, "AWS_SECRET_ACCESS_KEY is set");
    assert!(is(finding, "wrong", "profiles"));
    let after = typed(&house, &format!("{}; signet doctor -o json", hint(finding)));
    assert_eq!(levels(&findings(&after), "profiles"), ["ok"]);
}

#[test]
fn a_key_in_plain_text_is_sealed_and_removed_by_the_command() {
    let house = House::new();
    let text = format!(
        "[old]\naws_access_key_id = {}\naws_secret_access_key = {}\n[short]\naws_access_key_id = ASIASHORT\n",
        USER.0, USER.1
    );
    write_aws_file(&house, "credentials", &text);
    let found = look(&house);
    let finding = one(&found, ".aws/credentials line 2");
    assert!(is(finding, "wrong", "plaintext"));
    assert!(!finding.to_string().contains(USER.1), "no secret is shown");
    let _ = follow(&house, finding);
    let found = look(&house);
    assert_eq!(levels(&found, "plaintext"), ["ok"], "session keys pass");
    assert_eq!(one(&found, "old is sealed to one token")["check"], "keys");
    // put back, it is known to be in the vault
    write_aws_file(&house, "credentials", &text);
    let found = look(&house);
    let finding = one(&found, ".aws/credentials line 2");
    assert!(hint(finding).starts_with("sed -i "), "{finding}");
    let _ = follow(&house, finding);
    assert_eq!(levels(&look(&house), "plaintext"), ["ok"]);
    let left = fs::read_to_string(house.home().join(".aws/credentials")).unwrap();
    assert_eq!(left, "[old]\n[short]\naws_access_key_id = ASIASHORT\n");
}

#[test]
fn a_download_of_the_console_is_sealed_and_removed_by_the_command() {
    let house = House::new();
    let file = house.home().join("Downloads/break glass_accessKeys.csv");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("Access key ID,Secret access key\n{},{}\n", USER.0, USER.1)).unwrap();
    let found = look(&house);
    let finding = one(&found, "looks like a downloaded access key");
    assert!(is(finding, "wrong", "plaintext"));
    let _ = follow(&house, finding);
    assert!(!file.exists());
    assert_eq!(levels(&look(&house), "plaintext"), ["ok"]);
}

#[test]
fn a_key_with_one_token_gets_a_second_by_the_commands() {
    let house = House::with_user_key();
    let found = look(&house);
    let finding = one(&found, "prod is sealed to one token");
    assert!(is(finding, "warning", "keys"));
    let _ = follow(&house, finding);
    let found = look(&house);
    let finding = one(&found, "prod is sealed to one token");
    assert!(hint(finding).starts_with("signet reseal prod --add soft-"), "{finding}");
    let _ = follow(&house, finding);
    assert!(is(one(&look(&house), "prod, sealed to 2 tokens"), "ok", "keys"));
}

#[test]
fn a_key_that_was_never_tried_is_tried_by_the_commands() {
    let house = House::with_user_key();
    let found = look(&house);
    for check in ["drill", "verify"] {
        let finding = only(&found, check);
        assert!(is(finding, "warning", check));
        let _ = follow(&house, finding);
    }
    let found = look(&house);
    assert!(levels(&found, "drill").is_empty() && levels(&found, "verify").is_empty(), "{found:#?}");
    // and it comes back with the days
    let [preload, off] = shifted_clock::by(91 * 86_400, &house.home());
    let mut house = house;
    house.set_env(preload.0, preload.1);
    house.set_env(off.0, off.1);
    let found = look(&house);
    assert!(one(&found, "prod was last rehearsed 91 days ago")["check"] == "drill");
    assert_eq!(levels(&found, "verify"), ["warning"]);
    assert!(is(one(&found, "prod is 91 days old"), "warning", "age"));
}

#[test]
fn an_old_key_is_renewed_by_the_command() {
    let mut house = House::new();
    let [preload, off] = shifted_clock::by(-100 * 86_400, &house.home());
    house.set_env(preload.0, preload.1);
    house.set_env(off.0, off.1);
    house.add(&["prod", "--kind", "iam-user"], USER);
    for name in ["LD_PRELOAD", "TEST_CLOCK_OFF"] {
        house.unset_env(name);
    }
    let found = look(&house);
    let finding = one(&found, "prod is 100 days old");
    assert!(is(finding, "warning", "age"));
    house.answer("secret", &[NEXT.0, NEXT.1]);
    let _ = follow(&house, finding);
    let found = look(&house);
    assert!(levels(&found, "age").is_empty(), "{found:#?}");
    assert_eq!(one(&found, "prod-2 is sealed to one token")["level"], "warning");
}

#[test]
fn a_key_that_is_marked_for_rotation_is_renewed_by_the_command() {
    let house = House::new();
    let (first, second) = (house.serial(), house.enrol());
    house.add(&["prod", "--kind", "iam-user"], USER);
    let _ = house.run(&["reseal", "prod", "--drop", &second]).ok();
    let found = look(&house);
    let finding = one(&found, "prod is to be rotated at aws");
    assert!(is(finding, "wrong", "rotate"));
    assert!(finding["message"].as_str().unwrap().contains(&second), "{finding}");
    house.answer("secret", &[NEXT.0, NEXT.1]);
    let _ = follow(&house, finding);
    let found = look(&house);
    assert!(levels(&found, "rotate").is_empty(), "{found:#?}");
    assert!(is(one(&found, "prod-2, sealed to 2 tokens"), "ok", "keys"));
    assert!(!first.is_empty());
}

#[test]
fn a_lost_token_makes_its_keys_red_until_they_are_renewed() {
    let house = House::new();
    let lost = house.serial();
    house.add(&["prod", "--kind", "iam-user"], USER);
    let said = house.run(&["token", "lost", &lost]).code();
    assert_eq!(said, 1, "a key is to be rotated");
    let found = look(&house);
    assert_eq!(only(&found, "lost")["level"], "warning", "the file is still there: {found:#?}");
    let finding = one(&found, "prod has no token that was not lost");
    assert!(is(finding, "wrong", "keys"));
    assert!(is(one(&found, "prod is to be rotated at aws"), "wrong", "rotate"));
    let _ = house.enrol();
    house.answer("secret", &[NEXT.0, NEXT.1]);
    let _ = follow(&house, finding);
    let found = look(&house);
    assert!(levels(&found, "rotate").is_empty(), "{found:#?}");
    assert_eq!(one(&found, "prod-2 is sealed to one token")["level"], "warning");
}

#[test]
fn a_root_key_that_need_not_be_is_deleted_at_aws_and_here() {
    let house = House::with_root_key();
    let found = look(&house);
    let finding = only(&found, "root");
    assert!(is(finding, "warning", "root"));
    for covered in ["aws login", "s3 mfa delete"] {
        assert!(finding["why"].as_str().unwrap().contains(covered), "{finding}");
    }
    let _ = follow(&house, finding);
    let actions: Vec<String> = house.aws.requests().into_iter().map(|seen| seen.action).collect();
    assert!(actions.contains(&"iam:DeleteAccessKey".to_owned()), "{actions:?}");
    let found = look(&house);
    assert!(levels(&found, "root").is_empty(), "{found:#?}");
    assert!(is(one(&found, "the vault holds no key yet"), "ok", "keys"));
}

#[test]
fn a_clock_that_is_off_is_found_by_the_date_of_aws() {
    let mut house = House::new();
    let command =
        if fs::exists("/run/systemd/system").unwrap() { "timedatectl set-ntp true" } else { "date -u -s" };
    for (seconds, level, part) in [
        (60, "warning", "s ahead of that of aws"),
        (-400, "wrong", "s behind that of aws"),
        (86_400, "wrong", "s ahead of that of aws"),
    ] {
        let [preload, off] = shifted_clock::by(seconds, &house.home());
        house.set_env(preload.0, preload.1);
        house.set_env(off.0, off.1);
        let found = look(&house);
        let finding = one(&found, part);
        assert!(is(finding, level, "clock"), "{seconds}: {finding}");
        // this is the machine's clock: the command is not typed here
        assert!(hint(finding).contains(command), "{finding}");
    }
}

#[test]
fn an_endpoint_that_does_not_answer_leaves_the_clock_unknown() {
    let mut house = House::new();
    house.set_env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    let found = look(&house);
    let finding = one(&found, "the clock could not be compared");
    assert!(is(finding, "warning", "clock"));
    assert_eq!(hint(finding), "curl -sSI http://127.0.0.1:9/");
}

#[test]
fn with_nobody_to_ask_it_says_what_is_in_the_way() {
    let mut house = House::new();
    house.set_env("SIGNET_ASKPASS", "relative/askpass");
    let found = look(&house);
    let finding = only(&found, "prompt");
    assert!(is(finding, "warning", "prompt"));
    assert_eq!(hint(finding), "unset SIGNET_ASKPASS");
    // a pinentry that others could have written is not asked
    house.unset_env("SIGNET_ASKPASS");
    let fake = house.path("pinentry");
    fs::write(&fake, "#!/bin/sh\n").unwrap();
    set_mode(&fake, 0o777);
    let config = house.home().join(".config/signet/cli.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, format!("[prompt]\npinentry = {:?}\n", fake.display().to_string())).unwrap();
    let found = look(&house);
    let finding = only(&found, "pinentry");
    assert!(is(finding, "warning", "pinentry"));
    let _ = follow(&house, finding);
    assert_eq!(levels(&look(&house), "pinentry"), ["ok"]);
    assert!(is(
        only(&findings(&house.run(&["doctor", "--no-prompt", "-o", "json"])), "prompt"),
        "ok",
        "prompt"
    ));
}

#[test]
fn a_log_without_an_anchor_gets_one_by_the_command() {
    let mut house = House::new();
    let found = look(&house);
    let finding = only(&found, "audit");
    let heads = house.state_dir().with_extension("heads");
    if fs::exists("/run/systemd/system").unwrap() {
        // the machine's own journal is not the test's to write to
        assert!(hint(finding).contains("anchor = \"journald\""), "{finding}");
        return;
    }
    reap_with(&mut house, |house| drop(follow(house, finding)));
    let _started = Started::of(&house);
    assert!(levels(&look(&house), "audit").is_empty());
    house.add(&["prod", "--kind", "iam-user"], USER);
    assert!(fs::metadata(heads).unwrap().len() > 0, "heads are copied there");
}

#[test]
fn a_host_that_gets_plain_http_is_taken_out_by_the_command() {
    let mut house = House::new();
    let found = look(&house);
    let finding = only(&found, "hosts");
    reap_with(&mut house, |house| drop(follow(house, finding)));
    let _started = Started::of(&house);
    assert!(levels(&look(&house), "hosts").is_empty());
}

/// Lets a command end the agent and start another: waits until the new one answers.
fn reap_with(house: &mut House, command: impl FnOnce(&House)) {
    let old = house.agent_pid().unwrap();
    command(house);
    // reaps the first one, which has ended
    house.kill_agent();
    let other = |house: &House| {
        let ran = house.run(&["status", "-o", "json"]);
        ran.status.success() && document(&ran.stdout)["pid"] != old
    };
    assert!(wait_until(|| other(house)));
}

#[test]
fn an_agent_of_another_version_is_named() {
    let mut house = House::new();
    let path = house.path("run/old.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let agent = house.socket();
    thread::spawn(move || {
        for client in listener.incoming() {
            let agent = UnixStream::connect(&agent).unwrap();
            thread::spawn(move || through(client.unwrap(), agent));
        }
    });
    house.set_env("SIGNET_SOCK", &path);
    let found = look(&house);
    let finding = only(&found, "version");
    assert!(is(finding, "warning", "version"));
    let pid = house.agent_pid().unwrap();
    assert!(
        hint(finding).starts_with(&format!("kill {pid} && sleep 1 && setsid -f signet-agent ")),
        "{finding}"
    );
}

/// Carries one exchange with the agent, and makes its version an older one.
fn through(mut client: UnixStream, mut agent: UnixStream) {
    let (mut questions, mut asked) = (client.try_clone().unwrap(), agent.try_clone().unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        // an error is the end of the exchange, as the end itself is
        while let Ok(count @ 1..) = questions.read(&mut buffer) {
            if asked.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    });
    let own = format!("\"agent_version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let old = own.replace(char::is_numeric, "0");
    let mut buffer = [0; 65536];
    while let Ok(count @ 1..) = agent.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..count]).replace(&own, &old);
        if client.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_record_that_was_changed_is_red_and_hides_nothing() {
    let house = House::with_user_key();
    house.add(&["other", "--kind", "iam-user"], NEXT);
    let record = house.state_dir().join("keys/prod.age");
    let mut bytes = fs::read(&record).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    bytes.truncate(last + 50);
    fs::write(&record, bytes).unwrap();
    let found = look(&house);
    let refused = one(&found, "prod is refused");
    assert!(is(refused, "wrong", "keys"), "{refused}");
    assert_eq!(one(&found, "other is sealed to one token")["check"], "keys");
}

#[test]
fn people_read_the_same_in_lines() {
    let house = House::new();
    set_mode(&house.socket(), 0o666);
    let ran = house.run(&["doctor"]);
    let socket = house.socket().display().to_string();
    let expected = format!(
        "wrong    socket: {socket} has mode 666; others can reach it\n         \
         why: only its owner's programs are meant to get as far as a question for the pin\n         \
         try: chmod 600 {socket}\n"
    );
    assert!(ran.stdout.contains(&expected), "{}", ran.stdout);
    assert!(ran.stdout.contains("\nok       state: "), "{}", ran.stdout);
    let table = house.run(&["doctor", "-o", "csv"]);
    assert!(table.stdout.starts_with("level,check,message,hint,why\r\nok,agent,"), "{}", table.stdout);
    let said = ran.refused(1);
    assert_eq!(said, "signet: error: 1 thing is wrong here\n");
}
