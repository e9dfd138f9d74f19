//! The clock of this machine against that of AWS, as the endpoint of STS tells it in its `Date`
//! (RFC 9110, 6.6.1). The request is not signed and says nothing of any key.

use super::Finding;
use super::machine::{Machine, Services, word};
use crate::context::Context;
use crate::courier::{date, endpoint};
use signet_protocol::Refusal;
use time::OffsetDateTime;

/// A code of RFC 6238 is good for 30 s.
const NOTICEABLE: i64 = 30;
/// AWS takes a request for 300 s after its date; a use may last 120 s of them.
const TOO_MUCH: i64 = 180;

/// Asks the endpoint that is in force for a region.
pub(super) fn look(cx: &Context, region: &str, machine: &Machine) -> Finding {
    let url = endpoint::sts(region, endpoint::overridden("sts"));
    let told = cx.block_on(date::of(&url));
    judge(&url, told, OffsetDateTime::now_utc(), machine)
}

fn judge(
    url: &str,
    told: Result<OffsetDateTime, Refusal>,
    now: OffsetDateTime,
    machine: &Machine,
) -> Finding {
    let aws = match told {
        Ok(aws) => aws,
        Err(refusal) => {
            let what = format!("the clock could not be compared with that of aws: {}", refusal.message);
            let why = "aws takes a request for five minutes after its date; until then nobody knows";
            return Finding::warning("clock", what, why, format!("curl -sSI {}", word(url)));
        }
    };
    let off = (now - aws).whole_seconds();
    let seconds = off.abs();
    if seconds <= NOTICEABLE {
        return Finding::ok("clock", format!("within {} s of that of aws", seconds.max(1)));
    }
    let direction = if off > 0 { "ahead of" } else { "behind" };
    let what = format!("the clock is {seconds} s {direction} that of aws");
    let why = "aws takes a request for five minutes after its date, and codes are good for 30 s";
    let hint = set(url, machine);
    if seconds <= TOO_MUCH {
        Finding::warning("clock", what, why, hint)
    } else {
        Finding::wrong("clock", what, why, hint)
    }
}

/// Sets the clock: for good by the service manager, else by the same endpoint's word.
fn set(url: &str, machine: &Machine) -> String {
    match machine.services {
        Services::Systemd => machine.as_root("timedatectl set-ntp true"),
        Services::Script | Services::None => {
            let date = format!("curl -sI {} | tr -d '\\r' | sed -n 's/^[Dd]ate: //p'", word(url));
            machine.as_root(&format!("date -u -s \"$({date})\""))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::machine::tests::PLAIN;
    use super::*;
    use crate::command::doctor::Level;
    use signet_protocol::Code;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 17:00 UTC);

    fn off(seconds: i64) -> Finding {
        judge("https://sts.x/", Ok(NOW - Duration::seconds(seconds)), NOW, &PLAIN)
    }

    #[test]
    fn a_clock_is_green_yellow_or_red_by_how_far_it_is_off() {
        for (seconds, level) in [
            (0, Level::Ok),
            (30, Level::Ok),
            (-30, Level::Ok),
            (31, Level::Warning),
            (-180, Level::Warning),
            (181, Level::Wrong),
            (-86_400, Level::Wrong),
        ] {
            assert_eq!(off(seconds).level, level, "{seconds}");
        }
        assert_eq!(off(200).message, "the clock is 200 s ahead of that of aws");
        assert_eq!(off(-200).message, "the clock is 200 s behind that of aws");
    }

    #[test]
    fn the_command_sets_it_for_good_where_that_is_known() {
        assert_eq!(off(200).hint.unwrap(), "sudo timedatectl set-ntp true");
        let bare = Machine { services: Services::None, root: true, ..PLAIN };
        assert_eq!(
            set("https://sts.x/", &bare),
            "date -u -s \"$(curl -sI https://sts.x/ | tr -d '\\r' | sed -n 's/^[Dd]ate: //p')\""
        );
    }

    #[test]
    fn a_network_that_is_down_is_yellow() {
        let refusal = Refusal::bare(Code::Timeout, "sts.x does not answer");
        let found = judge("https://sts.x/", Err(refusal), NOW, &PLAIN);
        assert_eq!(found.level, Level::Warning);
        assert!(found.message.ends_with("sts.x does not answer"));
    }
}
