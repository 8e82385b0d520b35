//! A run's id, and the label that everything carries which a run creates in a stack that stays: the id, and when
//! the run will have ended. Another machine can tell from it what a dead run left.

use time::OffsetDateTime;
use time::macros::format_description;

/// Stands between the id, which is hexadecimal, and the time.
const UNTIL: char = 'u';

/// `<time>-<profile>-<id>`; the id also labels everything the run creates.
pub fn run_id(at: OffsetDateTime, profile: &str) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = at.format(&format).unwrap_or_default();
    format!("{time}-{profile}-{:06x}", rand::random::<u32>() & 0x00ff_ffff)
}

/// The label of the run `id` that will have ended by `end`.
pub fn until(id: &str, end: OffsetDateTime) -> String {
    format!("{id}{UNTIL}{}", end.unix_timestamp())
}

/// When the run with this label will have ended, in seconds since the Unix epoch; `None` where it does not say.
pub fn planned_end(label: &str) -> Option<i64> {
    let (id, seconds) = label.split_once(UNTIL)?;
    (!id.is_empty()).then(|| seconds.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_when_its_run_will_have_ended() {
        let end = OffsetDateTime::from_unix_timestamp(1_795_515_104).unwrap();
        assert_eq!(until("ab12cd", end), "ab12cdu1795515104");
        assert_eq!(planned_end("ab12cdu1795515104"), Some(1_795_515_104));
        for other in ["ab12cd", "u12", "probe", "ab12cdu", "ab12cdu-x"] {
            assert_eq!(planned_end(other), None, "{other}");
        }
    }
}
