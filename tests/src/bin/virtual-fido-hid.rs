//! A virtual FIDO2 authenticator on USB, for a machine of its own (`tests/hid` boots one): plugs it into
//! `/dev/uhid`, which takes root, and obeys the words typed on standard input until that ends, each answered
//! with one line.
//!
//! ```text
//! touch now | touch never | touch after 300     the finger, at this touch and at all that follow; milliseconds
//! pull out | plug in                            what it holds is kept
//! counts                                        touches asked for, waits cancelled by the host, messages
//!                                               refused as busy; and whether it is idle, busy or waiting
//! ```

use std::io::{self, BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use signet_tests::card::{HidKey, Packet, Profile, Touch};
use signet_tests::uhid::{Told, Uhid};

/// What the device calls itself.
const NAME: &str = "Yubico YubiKey OTP+FIDO+CCID";
/// How long it waits for a touch.
const TOUCH: Duration = Duration::from_secs(30);
/// How often it looks at the clock while it waits.
const PACE: Duration = Duration::from_millis(5);
/// And while it does not.
const IDLE: Duration = Duration::from_secs(3600);

/// What happens to it.
enum Event {
    Report(Packet),
    Word(String),
    /// Nobody types any more, or the kernel tells no more.
    End,
}

fn main() -> io::Result<()> {
    let mut cable = Uhid::open()?;
    cable.plug(NAME)?;
    let (tell, events) = channel();
    let (kernel, told) = (cable.share()?, tell.clone());
    thread::spawn(move || listen(kernel, &told));
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            // An error means that the program ends.
            let _ = tell.send(Event::Word(line));
        }
        let _ = tell.send(Event::End);
    });
    serve(&mut cable, &events)
}

fn listen(mut kernel: Uhid, tell: &Sender<Event>) {
    while let Ok(told) = kernel.hear() {
        if let Told::Report(packet) = told
            && tell.send(Event::Report(packet)).is_err()
        {
            return;
        }
    }
    let _ = tell.send(Event::End);
}

fn serve(cable: &mut Uhid, events: &Receiver<Event>) -> io::Result<()> {
    let mut key = HidKey::new(Profile::v5_7_1().touch_timeout(TOUCH));
    loop {
        let said = match events.recv_timeout(if key.is_busy() { PACE } else { IDLE }) {
            Ok(Event::Report(packet)) => key.receive(&packet, Instant::now()),
            Ok(Event::Word(line)) => {
                let answer = obey(&mut key, cable, &line)?;
                writeln!(io::stdout(), "{answer}")?;
                Vec::new()
            }
            Err(RecvTimeoutError::Timeout) => key.tick(Instant::now()),
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        said.iter().try_for_each(|packet| cable.send(packet))?;
    }
}

fn obey(key: &mut HidKey, cable: &mut Uhid, line: &str) -> io::Result<String> {
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["touch", "now"] => key.touch(Touch::Now),
        ["touch", "never"] => key.touch(Touch::Never),
        ["touch", "after", millis] => {
            let millis = millis.parse().map_err(io::Error::other)?;
            key.touch(Touch::After(Duration::from_millis(millis)));
        }
        ["pull", "out"] => {
            cable.unplug()?;
            key.pull_out();
        }
        ["plug", "in"] => cable.plug(NAME)?,
        ["counts"] => {
            let state = match (key.waits_for_touch(), key.is_busy()) {
                (true, _) => "waiting",
                (false, true) => "busy",
                (false, false) => "idle",
            };
            let (asked, cancelled, busy) = (key.touches_asked(), key.cancelled(), key.refused_busy());
            return Ok(format!("asked {asked} cancelled {cancelled} busy {busy} {state}"));
        }
        [..] => return Ok("what?".to_owned()),
    }
    Ok("done".to_owned())
}
