//! The form of `series.csv`.

use std::fmt::Write as _;

use crate::record::SeriesRow;

/// The first line, with the units in the names.
pub(crate) const HEADER: &str = "t_s,dt_s,operation,measured,offered,completed,errors,bytes,\
in_flight,backlog,response_p50_us,response_p99_us,response_max_us,response_mean_us,\
service_p50_us,service_p99_us,service_max_us,service_mean_us\n";

const FIELDS: usize = 18;

/// Appends a row. The operation's name was checked to need no quotes.
pub(super) fn push_row(out: &mut String, r: &SeriesRow) {
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{:.3},{:.3},{},{},{},{},{},{},{},{},{:.1},{:.1},{:.1},{:.1},{:.1},{:.1},{:.1},{:.1}",
        r.t_s,
        r.dt_s,
        r.operation,
        u8::from(r.measured),
        r.offered,
        r.completed,
        r.errors,
        r.bytes,
        r.in_flight,
        r.backlog,
        r.response_p50_us,
        r.response_p99_us,
        r.response_max_us,
        r.response_mean_us,
        r.service_p50_us,
        r.service_p99_us,
        r.service_max_us,
        r.service_mean_us,
    );
}

/// Reads a row; the error says which field is wrong.
pub(crate) fn parse_row(line: &str) -> Result<SeriesRow, String> {
    let mut fields = line.split(',');
    let mut seen = 0;
    let mut next = |name: &'static str| {
        seen += 1;
        fields.next().ok_or_else(|| format!("{seen} of {FIELDS} fields; {name} is missing"))
    };
    fn float(name: &str, text: &str) -> Result<f64, String> {
        match text.parse::<f64>() {
            Ok(v) if v.is_finite() && v >= 0.0 => Ok(v),
            _ => Err(format!("{name} is {text:?}, not a number of 0 or more")),
        }
    }
    fn whole(name: &str, text: &str) -> Result<u64, String> {
        text.parse().map_err(|_| format!("{name} is {text:?}, not a whole number"))
    }
    macro_rules! field {
        ($parse:ident, $name:literal) => {
            $parse($name, next($name)?)?
        };
    }
    let row = SeriesRow {
        t_s: field!(float, "t_s"),
        dt_s: field!(float, "dt_s"),
        operation: next("operation")?.to_owned(),
        measured: match next("measured")? {
            "1" => true,
            "0" => false,
            other => return Err(format!("measured is {other:?}, not 0 or 1")),
        },
        offered: field!(whole, "offered"),
        completed: field!(whole, "completed"),
        errors: field!(whole, "errors"),
        bytes: field!(whole, "bytes"),
        in_flight: field!(whole, "in_flight"),
        backlog: field!(whole, "backlog"),
        response_p50_us: field!(float, "response_p50_us"),
        response_p99_us: field!(float, "response_p99_us"),
        response_max_us: field!(float, "response_max_us"),
        response_mean_us: field!(float, "response_mean_us"),
        service_p50_us: field!(float, "service_p50_us"),
        service_p99_us: field!(float, "service_p99_us"),
        service_max_us: field!(float, "service_max_us"),
        service_mean_us: field!(float, "service_mean_us"),
    };
    if fields.next().is_some() {
        return Err(format!("more than {FIELDS} fields"));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_header_names_every_field_that_a_row_has() {
        let mut row = String::new();
        push_row(&mut row, &SeriesRow { operation: "a".into(), ..SeriesRow::default() });
        assert_eq!(HEADER.trim().split(',').count(), FIELDS);
        assert_eq!(row.trim().split(',').count(), FIELDS);
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were_written(
            t in 0u32..1_000_000, n in any::<u64>(), us in 0u32..u32::MAX, measured: bool,
            operation in "[a-z0-9._-]{1,20}",
        ) {
            let row = SeriesRow {
                t_s: f64::from(t) / 8.0, dt_s: 1.0, operation, measured,
                offered: n, completed: n, errors: 3, bytes: n, in_flight: 1, backlog: 2,
                response_p50_us: f64::from(us) / 2.0, response_p99_us: f64::from(us),
                response_max_us: f64::from(us), response_mean_us: 0.5,
                service_p50_us: 1.0, service_p99_us: 2.0, service_max_us: 3.0, service_mean_us: 1.5,
            };
            let mut text = String::new();
            push_row(&mut text, &row);
            prop_assert_eq!(parse_row(text.trim_end()).unwrap(), row);
        }

        #[test]
        fn no_line_panics(line in ".*") {
            let _ = parse_row(&line);
        }
    }
}
