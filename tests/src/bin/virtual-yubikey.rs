//! Virtual YubiKeys to play with by hand: starts a private `pcscd`, inserts the cards, prints the line that
//! points other programs at it, and obeys the words typed on standard input until that ends.
//!
//! ```text
//! virtual-yubikey [--script FILE] [PROFILE[:SERIAL]]…
//! ```
//!
//! A script, and every typed line that is not one of the words below, is for the card that was named last
//! (at first for card 0): see `signet_tests::card::Script`.

use std::io::{self, BufRead, Write};

use signet_tests::card::{Card, Fido, Profile, Script, Uv};
use signet_tests::pcsc::Pcscd;

const USAGE: &str = "usage: virtual-yubikey [--script FILE] [PROFILE[:SERIAL]]...; \
    PROFILE is 5.8.0, 5.7.1, 5.4.3, 5.2.7, bare, no-oath, truncating, deaf, no-fido, no-hmac-secret or finger";
const WORDS: &str = "card N | press | remove | insert | log | counts | fido | fido-pin PIN | fido-pin none | \
    fido-counter N | finger right | finger wrong | touch now | touch slow 3s | touch never | \
    serial N | at N FAULT | on INS FAULT; FAULT is remove, reset, busy 2s, status 6f00, garbage, wrong or mute";

fn profile(word: &str) -> Option<Profile> {
    let (name, serial) = word.split_once(':').map_or((word, None), |(name, serial)| (name, Some(serial)));
    let profile = match name {
        "5.8.0" => Profile::v5_8_0(),
        "5.7.1" => Profile::v5_7_1(),
        "5.4.3" => Profile::v5_4_3(),
        "5.2.7" => Profile::v5_2_7(),
        "bare" => Profile::bare(),
        "no-oath" => Profile::v5_7_1().without_oath(),
        "truncating" => Profile::v5_7_1().truncating(),
        "no-fido" => Profile::v5_7_1().without_fido(),
        "no-hmac-secret" => Profile::v5_7_1().fido(Fido::v2_1().without_hmac_secret()),
        "finger" => Profile::v5_7_1().fido(Fido::v2_1().uv(Uv::Matches)),
        "deaf" => Profile::v5_7_1().deaf_to_codes(),
        _ => return None,
    };
    Some(match serial {
        Some(serial) => profile.serial(serial.parse().ok()?),
        None => profile,
    })
}

fn main() -> io::Result<()> {
    let mut script = None;
    let mut profiles = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--script" {
            let text = std::fs::read_to_string(words.next().ok_or_else(|| io::Error::other(USAGE))?)?;
            script = Some(text.parse::<Script>().map_err(io::Error::other)?);
        } else {
            profiles.push(profile(&word).ok_or_else(|| io::Error::other(USAGE))?);
        }
    }
    if profiles.is_empty() {
        profiles.push(Profile::v5_7_1());
    }
    let pcscd = Pcscd::start_with(profiles.len().div_ceil(2));
    let mut cards: Vec<Card> = profiles.into_iter().map(|profile| Card::insert(&pcscd, profile)).collect();
    if let (Some(script), [card, ..]) = (&script, cards.as_slice()) {
        card.play(script);
    }
    writeln!(io::stdout(), "export PCSCLITE_CSOCK_NAME={}", pcscd.socket().display())?;
    let mut chosen = 0;
    for line in io::stdin().lock().lines() {
        let line = line?;
        if let Some(number) = line.strip_prefix("card ").and_then(|number| number.trim().parse().ok()) {
            chosen = number;
        }
        match cards.get_mut(chosen) {
            Some(card) => obey(card, &line)?,
            None => writeln!(io::stderr(), "there is no card {chosen}")?,
        }
    }
    Ok(())
}

fn obey(card: &mut Card, line: &str) -> io::Result<()> {
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["card", _] => writeln!(io::stderr(), "serial {} in reader {}", card.serial(), card.reader())?,
        ["press"] if card.press() => {}
        ["press"] => writeln!(io::stderr(), "the card does not wait for a touch")?,
        ["remove"] => card.remove(),
        ["insert"] => card.reinsert(),
        ["log"] => {
            write!(io::stdout(), "{}", card.transcript())?;
            card.clear_events();
        }
        ["fido"] => {
            let (pin, tries) = (card.has_fido_pin(), card.fido_tries());
            let (credentials, counter) = (card.fido_credentials().len(), card.fido_counter());
            let (assertions, probes) = (card.fido_assertions(), card.fido_probes());
            let token = card.has_fido_token();
            writeln!(
                io::stdout(),
                "pin set {pin}, {tries} tries, {credentials} credentials, counter {counter}, \
                 {assertions} assertions, {probes} questions, token left {token}"
            )?;
        }
        ["fido-pin", "none"] => card.set_fido_pin(None),
        ["fido-pin", pin] => card.set_fido_pin(Some(pin)),
        ["fido-counter", number] => match number.parse() {
            Ok(number) => card.set_fido_counter(number),
            Err(_) => writeln!(io::stderr(), "{WORDS}")?,
        },
        ["finger", "right"] => card.set_uv(Uv::Matches),
        ["finger", "wrong"] => card.set_uv(Uv::Never),
        ["counts"] => {
            let events = card.events();
            let (apdus, touches) = (events.apdus().count(), card.touches_asked());
            let (on, off, resets) = (events.power_ons(), events.power_offs(), events.resets());
            writeln!(
                io::stdout(),
                "{apdus} apdus, {touches} touches asked, {on} power on, {off} power off, {resets} resets"
            )?;
        }
        [..] => match line.parse::<Script>() {
            Ok(script) => card.play(&script),
            Err(_) => writeln!(io::stderr(), "{WORDS}")?,
        },
    }
    Ok(())
}
