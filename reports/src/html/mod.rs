//! `report.html`: one file that needs nothing from the network, and no script to be read.

mod answer;
mod rows;
pub(crate) mod shorten;
mod view;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use sha2::{Digest, Sha256};

use crate::error::RecordError;
use crate::plots::Charts;
use crate::read::Run;
use view::Limits;

const TEMPLATE: &str = include_str!("../templates/report.html");
/// The look of every page.
pub(crate) const STYLE: &str = include_str!("../templates/report.css");
/// Lets a reader choose one operation's charts. The page says everything without it.
const SCRIPT: &str = include_str!("../templates/report.js");

/// Most bytes of a page.
const MOST_BYTES: usize = 5_000_000;
/// What is shown, and what where that is too much.
const LIMITS: [Limits; 3] = [
    Limits { rows: 200, brief: 10_000, charts: usize::MAX, text: 2_000 },
    Limits { rows: 100, brief: 1_000, charts: 16, text: 300 },
    Limits { rows: 20, brief: 0, charts: 2, text: 80 },
];

/// The HTML text of a run with its charts, at most 5 MB: where it would be more, less is shown, and
/// the page says so.
///
/// # Errors
/// The page cannot be made; the template's line is in the error.
pub fn html_report(run: &Run, charts: Charts) -> Result<String, RecordError> {
    let measured_s = run.measured_s();
    let mut text = String::new();
    for limits in LIMITS {
        let mut record = shorten::record(&run.record, limits.text)?;
        // These stand beside many figures, so their number counts many times.
        record.marks.truncate(limits.rows);
        record.implementations.truncate(limits.rows);
        record.ledger.hops.truncate(limits.rows);
        let notes: Vec<String> =
            run.notes.iter().map(|note| shorten::text(note, limits.text)).collect();
        let view = view::page(&record, &run.record, measured_s, &notes, charts.clone(), limits);
        let values = minijinja::context! {
            p => Value::from(Serde(view)),
            style => STYLE,
            chart_style => crate::plots::STYLE,
            script => SCRIPT,
            script_hash => STANDARD.encode(Sha256::digest(SCRIPT)),
        };
        text = page("report.html", TEMPLATE, values)?;
        if text.len() <= MOST_BYTES {
            break;
        }
    }
    Ok(text)
}

/// The HTML text of `template` with these values; `name` is the page's in errors.
///
/// # Errors
/// The page cannot be made; the template's line is in the error.
pub(crate) fn page(name: &str, template: &str, values: Value) -> Result<String, RecordError> {
    let render = || -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment
            .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        // Every value is escaped; only our own style, script and SVG are passed as they are.
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        // A field that the template misspells is an error, not an empty cell.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template(name, template)?;
        environment.get_template(name)?.render(values)
    };
    render().map_err(|e| RecordError::Render { what: name.to_owned(), why: e.to_string() })
}
