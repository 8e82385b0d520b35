//! `report.html`: one file without scripts or anything from the network.

mod rows;
mod view;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::error::RecordError;
use crate::plots::Charts;
use crate::read::Run;

const TEMPLATE: &str = include_str!("../templates/report.html");
/// The look of every page.
pub(crate) const STYLE: &str = include_str!("../templates/report.css");

/// The HTML text of a run with its charts.
///
/// # Errors
/// The page cannot be made; the template's line is in the error.
pub fn html_report(run: &Run, charts: Charts) -> Result<String, RecordError> {
    let values = minijinja::context! {
        p => Value::from(Serde(view::page(run, charts))),
        style => STYLE,
        chart_style => crate::plots::STYLE,
    };
    page("report.html", TEMPLATE, values)
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
        // Every value is escaped; only the style sheets and our own SVG are passed as they are.
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        // A field that the template misspells is an error, not an empty cell.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template(name, template)?;
        environment.get_template(name)?.render(values)
    };
    render().map_err(|e| RecordError::Render { what: name.to_owned(), why: e.to_string() })
}
