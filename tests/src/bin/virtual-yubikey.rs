//! A virtual YubiKey to play with by hand: starts a private `pcscd`, inserts a card, prints the line that
//! points other programs at it, and obeys the words typed on standard input until that ends.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use signet_tests::card::{Card, Profile, Touch};
use signet_tests::pcsc::Pcscd;

const WORDS: &str = "now | after SECONDS | never | press | remove | insert | log";

fn main() -> io::Result<()> {
    let profile = match std::env::args().nth(1).as_deref() {
        None | Some("5.7.1") => Profile::v5_7_1(),
        Some("5.4.3") => Profile::v5_4_3(),
        Some("5.2.7") => Profile::v5_2_7(),
        Some("bare") => Profile::bare(),
        Some(_) => return Err(io::Error::other("usage: virtual-yubikey [5.7.1 | 5.4.3 | 5.2.7 | bare]")),
    };
    let pcscd = Pcscd::start();
    let mut card = Card::insert(&pcscd, profile);
    writeln!(io::stdout(), "export PCSCLITE_CSOCK_NAME={}", pcscd.socket().display())?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["now"] => card.touch(Touch::Now),
            ["never"] => card.touch(Touch::Never),
            ["after", seconds] => match seconds.parse().map(Duration::from_secs) {
                Ok(delay) => card.touch(Touch::After(delay)),
                Err(_) => writeln!(io::stderr(), "{WORDS}")?,
            },
            ["press"] if card.press() => {}
            ["press"] => writeln!(io::stderr(), "the card does not wait for a touch")?,
            ["remove"] => card.remove(),
            ["insert"] => card.reinsert(),
            ["log"] => {
                write!(io::stdout(), "{}", card.transcript())?;
                card.clear_events();
            }
            [..] => writeln!(io::stderr(), "{WORDS}")?,
        }
    }
    Ok(())
}
