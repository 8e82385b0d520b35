//! Foreign text made harmless for the format it goes into.

/// For XML text and attribute values. Characters that XML 1.0 forbids become `�`.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(' '),
            c if (c as u32) < 0x20 || matches!(c as u32, 0xFFFE | 0xFFFF) => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// For a line or a table cell of Markdown: nothing in it can begin a tag, a link, an emphasis, a
/// mention or a new cell. At most `most` characters.
pub(crate) fn markdown(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        if i == most {
            out.push('…');
            break;
        }
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention in a pull request would call people.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// For a terminal: no control characters, so no escape sequence gets through.
pub(crate) fn terminal(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// For a label's value in OpenMetrics; of control characters only the new line has a place there.
pub(crate) fn openmetrics(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// For a POSIX shell: the word as it is where that is safe, quoted where it is not.
pub(crate) fn shell(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shell_reads_the_words_back() {
        assert_eq!(shell("--scale=0.5"), "--scale=0.5");
        assert_eq!(shell("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(shell(""), "''");
    }

    proptest! {
        #[test]
        fn nothing_gets_through(text in any::<String>()) {
            let clean = !xml(&text).contains(['<', '>', '"', '\'', '\n', '\u{0}']);
            prop_assert!(clean);
            let m = markdown(&text, 200);
            prop_assert!(!m.contains(['<', '>', '@', '\n']));
            let plain = !terminal(&text).chars().any(char::is_control);
            prop_assert!(plain);
        }
    }
}
