//! How often a cron expression fires, where that can be told from its minutes and hours alone.

/// Minutes in a day.
const DAY: usize = 24 * 60;

/// Longest time between two firings, in minutes; none where the expression names days or cannot be read.
pub(super) fn longest_gap(expression: &str) -> Option<usize> {
    if let Some(every) = expression.trim().strip_prefix("@every ") {
        let seconds = odg_profiles::parse_duration(every).ok()?.as_secs();
        return usize::try_from(seconds.div_ceil(60)).ok().filter(|minutes| *minutes > 0);
    }
    let named = match expression.trim() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        other => other,
    };
    let fields: Vec<&str> = named.split_whitespace().collect();
    let [minutes, hours, day, month, weekday] = fields[..] else { return None };
    if [day, month, weekday].iter().any(|field| *field != "*" && *field != "?") {
        return None;
    }
    let (minutes, hours) = (values(minutes, 60)?, values(hours, 24)?);
    let mut times: Vec<usize> =
        hours.iter().flat_map(|h| minutes.iter().map(move |m| h * 60 + m)).collect();
    times.sort_unstable();
    let first = *times.first()?;
    let next = times.iter().skip(1).copied().chain([first + DAY]);
    times.iter().zip(next).map(|(a, b)| b - a).max()
}

/// Values of one field: `*`, `*/6`, `1-5`, `1-5/2`, `0,6,12`.
fn values(field: &str, below: usize) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|s| *s > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (0, below - 1),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None => {
                let one = range.parse().ok()?;
                (one, if part.contains('/') { below - 1 } else { one })
            }
        };
        if from > to || to >= below {
            return None;
        }
        found.extend((from..=to).step_by(step));
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::longest_gap;

    #[test]
    fn the_longest_gap_is_that_worked_out_by_hand() {
        for (expression, minutes) in [
            ("0 */6 * * *", 360),
            ("0 0,6,12,18 * * *", 360),
            ("0 */5 * * *", 300),
            ("*/15 * * * *", 15),
            ("30 2 * * *", 1440),
            ("0 8-18/2 * * *", 840),
            ("@hourly", 60),
            ("@every 6h", 360),
        ] {
            assert_eq!(longest_gap(expression), Some(minutes), "{expression}");
        }
    }

    #[test]
    fn days_and_nonsense_cannot_be_compared() {
        for expression in ["0 0 * * 0", "0 0 1 * *", "61 * * * *", "0 */0 * * *", "", "every day"] {
            assert_eq!(longest_gap(expression), None, "{expression}");
        }
    }
}
