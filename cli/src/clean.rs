//! Text from elsewhere, made fit to be shown: no control characters, no direction marks, one line.
//!
//! A terminal obeys control characters, and direction marks (Unicode TR 36, section 2.5) let a text
//! read other than it is; a prompt that shows what will be signed must do neither.

/// Longest text shown in one line, in characters.
const LONGEST: usize = 512;

/// `text` as one harmless line: each character that is not printed becomes `\u{…}`.
#[must_use]
pub(crate) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        if harmless(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

/// Whether a terminal prints the character and nothing else.
fn harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_the_reader_gets_through() {
        for hostile in [
            "\x1b[2J",
            "\r",
            "\n",
            "\u{7f}",
            "\u{9b}31m",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{feff}",
            "\u{e0041}",
        ] {
            let shown = line(&format!("a{hostile}b"));
            assert!(shown.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{hostile:?} gave {shown:?}");
        }
    }

    #[test]
    fn ordinary_text_stays() {
        assert_eq!(line("Zürich, 東京: sts:GetCallerIdentity"), "Zürich, 東京: sts:GetCallerIdentity");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(line(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
    }
}
