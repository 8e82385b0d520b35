//! One way of drawing for every chart: title, unit, legend, axes, lines, and what happened when.

use plotters::prelude::*;

use super::Chart;
use super::ChartTable;
use super::axis::Axis;
use super::series::Point;
use crate::error::RecordError;
use crate::record::TimelineEvent;

/// The style sheet of a chart. Series colours are Okabe and Ito's, which the colour-blind tell
/// apart, lightened for dark backgrounds; lines also differ in their dashes where two belong
/// together.
pub(crate) const STYLE: &str = "\
.odg-chart{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;\
--c-ink:#1d2329;--c-soft:#5b6670;--c-grid:#e3e7ea;--c-warm:#00000010;\
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#a8528a;--c4:#b97a00;--c5:#3f93c4;--c6:#4d5761;--c7:#8a6d3b}\
@media (prefers-color-scheme:dark){.odg-chart{--c-ink:#e6eaee;--c-soft:#9aa6b1;--c-grid:#2c343c;\
--c-warm:#ffffff14;--c0:#56b4e9;--c1:#ff9248;--c2:#33c79c;--c3:#e39cc7;--c4:#f0b940;--c5:#9bd3f5;\
--c6:#b6c0ca;--c7:#cdb07d}}\
@media print{.odg-chart{--c-ink:#1d2329;--c-soft:#5b6670;--c-grid:#e3e7ea;--c-warm:#00000010;\
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#a8528a;--c4:#b97a00;--c5:#3f93c4;--c6:#4d5761;--c7:#8a6d3b}}\
.odg-chart text.ink-f{fill:var(--c-ink)}.odg-chart .soft-f{fill:var(--c-soft)}\
.odg-chart .grid-s{stroke:var(--c-grid)}.odg-chart .warm-f{fill:var(--c-warm)}\
.odg-chart .soft-s{stroke:var(--c-soft)}.odg-chart .event-s{stroke:var(--c-soft);stroke-dasharray:12 12}\
.odg-chart .limit-s{stroke:var(--c-ink);stroke-dasharray:28 16}\
.odg-chart polyline{stroke-linejoin:round;stroke-linecap:round}\
.odg-chart .s0{stroke:var(--c0)}.odg-chart .s1{stroke:var(--c1)}.odg-chart .s2{stroke:var(--c2)}\
.odg-chart .s3{stroke:var(--c3)}.odg-chart .s4{stroke:var(--c4)}.odg-chart .s5{stroke:var(--c5)}\
.odg-chart .s6{stroke:var(--c6)}.odg-chart .s7{stroke:var(--c7)}\
.odg-chart .f0{fill:var(--c0)}.odg-chart .f1{fill:var(--c1)}.odg-chart .f2{fill:var(--c2)}\
.odg-chart .f3{fill:var(--c3)}.odg-chart .f4{fill:var(--c4)}.odg-chart .f5{fill:var(--c5)}\
.odg-chart .f6{fill:var(--c6)}.odg-chart .f7{fill:var(--c7)}\
.odg-chart .dash{stroke-dasharray:20 20}\
.odg-chart .h0,.odg-chart .h1,.odg-chart .h2,.odg-chart .h3,.odg-chart .h4,.odg-chart .h5\
{fill:var(--c0);shape-rendering:crispEdges}\
.odg-chart .h0{fill-opacity:.13}.odg-chart .h1{fill-opacity:.27}.odg-chart .h2{fill-opacity:.44}\
.odg-chart .h3{fill-opacity:.62}.odg-chart .h4{fill-opacity:.8}";

/// Colours of the style sheet.
pub(super) const COLOURS: usize = 8;
/// Shades of the style sheet, one hue from faint to full.
pub(super) const SHADES: usize = 6;

/// Events that a chart marks: more would hide what it shows.
const MOST_EVENTS: usize = 100;
/// Characters of a name that a chart is known by.
const LONGEST_NAME: usize = 200;

/// The drawing library rounds to whole pixels, so everything is drawn this much larger.
const SCALE: i32 = 4;
const WIDTH: i32 = 560;
const PLOT_HEIGHT: i32 = 200;
const LEFT: i32 = 62;
const RIGHT: i32 = 28;
const BOTTOM: i32 = 26;
/// Type size in points, in the library's measure (it divides by 1.24).
const FONT: f64 = 12.0 * 1.24 * SCALE as f64;

/// Colours that stand for classes until the text is finished.
const INK: RGBColor = RGBColor(0, 0, 1);
const SOFT: RGBColor = RGBColor(0, 0, 2);
const GRID: RGBColor = RGBColor(0, 0, 3);
const WARM: RGBColor = RGBColor(0, 0, 4);
const EVENT: RGBColor = RGBColor(0, 0, 5);
const LIMIT: RGBColor = RGBColor(0, 0, 6);

/// A line of a chart. Points that are not finite break it.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) dashed: bool,
    pub(super) points: Vec<Point>,
}

/// A filled rectangle of a chart: from and to on each axis, and how dark.
pub(super) struct Cell {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    pub(super) shade: usize,
}

/// What stands beside a name in the legend.
#[derive(Clone, Copy)]
enum Swatch {
    Line { colour: usize, dashed: bool },
    Shade(usize),
}

/// A chart to be drawn.
pub(super) struct Drawing<'a> {
    pub(super) slug: String,
    pub(super) title: String,
    /// The operation that it is about; empty for one of the whole run.
    pub(super) operation: &'a str,
    /// Unit of the y axis, for people.
    pub(super) unit: &'a str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    pub(super) cells: Vec<Cell>,
    /// What each shade of the cells means, faintest first.
    pub(super) shades: &'a [&'a str],
    /// Seconds of warm-up to shade, on a time axis.
    pub(super) warmup_s: f64,
    pub(super) events: &'a [TimelineEvent],
    /// A level to mark, on the y axis.
    pub(super) limit: Option<(f64, String)>,
    /// A place to mark, on the x axis.
    pub(super) mark: Option<(f64, String)>,
    pub(super) note: String,
    pub(super) table: ChartTable,
}

impl Drawing<'_> {
    pub(super) fn draw(mut self) -> Result<Chart, RecordError> {
        self.title = shortened(&self.title, LONGEST_NAME);
        let hidden = self.seen_events().count().saturating_sub(MOST_EVENTS);
        if hidden > 0 {
            self.note.push_str(&format!(" {hidden} more events are not marked; run.json has all."));
        }
        let mut text = String::new();
        self.draw_into(&mut text).map_err(|why| RecordError::Render {
            what: format!("the chart {:?}", self.title),
            why,
        })?;
        let svg = finish(&text, &self.title);
        Ok(Chart {
            slug: self.slug,
            title: self.title,
            operation: shortened(self.operation, LONGEST_NAME),
            note: self.note,
            svg,
            table: self.table,
        })
    }

    /// The events within the time that is shown.
    fn seen_events(&self) -> impl Iterator<Item = &TimelineEvent> {
        self.events.iter().filter(|e| e.t_s > self.x.lo && e.t_s < self.x.hi)
    }

    fn draw_into(&self, text: &mut String) -> Result<(), String> {
        fn text_of<E: std::fmt::Display>(error: E) -> String {
            error.to_string()
        }
        let legend = self.legend();
        let top = 24 + 18 * (1 + legend.last().map_or(0, |(_, row, ..)| row + 1));
        let height = top + PLOT_HEIGHT + BOTTOM;
        let size = ((WIDTH * SCALE) as u32, (height * SCALE) as u32);
        let root = SVGBackend::with_string(text, size).into_drawing_area();
        let at = |x: i32, y: i32| (x * SCALE, y * SCALE);
        let font =
            |size: f64, colour: &RGBColor| ("sans-serif", FONT * size).into_font().color(colour);

        let bold = ("sans-serif", FONT * 1.1, FontStyle::Bold).into_font().color(&INK);
        root.draw(&Text::new(shortened(&self.title, 70), at(0, 3), bold)).map_err(text_of)?;
        root.draw(&Text::new(self.unit.to_owned(), at(0, 22), font(1.0, &SOFT)))
            .map_err(text_of)?;
        for (x, row, name, swatch) in &legend {
            let y = 22 + 18 * (row + 1);
            match swatch {
                Swatch::Line { colour, dashed } => {
                    let path = vec![at(*x, y + 7), at(x + 18, y + 7)];
                    root.draw(&PathElement::new(path, stroke(*colour, *dashed)))
                }
                Swatch::Shade(shade) => {
                    let corners = [at(*x, y + 1), at(x + 18, y + 13)];
                    root.draw(&Rectangle::new(corners, shade_of(*shade).filled()))
                }
            }
            .map_err(text_of)?;
            root.draw(&Text::new(name.clone(), at(x + 24, y), font(1.0, &INK))).map_err(text_of)?;
        }

        let no_line = self.lines.iter().all(|l| l.points.iter().all(|p| !p.1.is_finite()));
        if no_line && self.cells.is_empty() {
            let middle = at(WIDTH / 2 - 40, top + PLOT_HEIGHT / 2);
            root.draw(&Text::new("no samples", middle, font(1.2, &SOFT))).map_err(text_of)?;
            return root.present().map_err(text_of);
        }

        let mut chart = ChartBuilder::on(&root)
            .margin_top(top * SCALE)
            .margin_right(RIGHT * SCALE)
            .set_label_area_size(LabelAreaPosition::Left, LEFT * SCALE)
            .set_label_area_size(LabelAreaPosition::Bottom, BOTTOM * SCALE)
            .build_cartesian_2d(self.x.coordinate(), self.y.coordinate())
            .map_err(text_of)?;
        if self.warmup_s > 0.0 {
            let corners = [(0.0, self.y.lo), (self.warmup_s.min(self.x.hi), self.y.hi)];
            chart
                .draw_series(std::iter::once(Rectangle::new(corners, WARM.filled())))
                .map_err(text_of)?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID.stroke_width(SCALE as u32))
            .light_line_style(TRANSPARENT)
            .axis_style(SOFT.stroke_width(SCALE as u32))
            .set_all_tick_mark_size(4 * SCALE)
            .label_style(font(1.0, &SOFT))
            .x_label_formatter(&|x| self.x.label(*x))
            .y_label_formatter(&|y| self.y.label(*y))
            .draw()
            .map_err(text_of)?;

        let cells = self
            .cells
            .iter()
            .map(|c| Rectangle::new([(c.x.0, c.y.0), (c.x.1, c.y.1)], shade_of(c.shade).filled()));
        chart.draw_series(cells).map_err(text_of)?;

        let across = f64::from(WIDTH - LEFT - RIGHT);
        let pixel_x =
            |x: f64| LEFT + (((x - self.x.lo) / (self.x.hi - self.x.lo)) * across).round() as i32;
        let mut upright = |x: f64| {
            let path = vec![(x, self.y.lo), (x, self.y.hi)];
            let element = PathElement::new(path, EVENT.stroke_width(SCALE as u32));
            chart.draw_series(std::iter::once(element)).map(|_| ()).map_err(text_of)
        };
        let mut labels: Vec<(f64, &str, i32)> = Vec::new();
        for event in self.seen_events().take(MOST_EVENTS) {
            upright(event.t_s)?;
            labels.push((event.t_s, &event.kind, top + 2));
        }
        if let Some((x, name)) = &self.mark
            && *x > self.x.lo
            && *x < self.x.hi
        {
            upright(*x)?;
            // Percentile curves end at the top right, so there the label stands at the bottom.
            labels.push((*x, name, top + PLOT_HEIGHT - 16));
        }
        if let Some((y, _)) = &self.limit {
            let level = vec![(self.x.lo, *y), (self.x.hi, *y)];
            let element = PathElement::new(level, LIMIT.stroke_width(SCALE as u32));
            chart.draw_series(std::iter::once(element)).map_err(text_of)?;
        }
        // The first line is drawn over the others, and dashed ones over solid ones, so that two
        // lines in one place both show.
        let solid = self.lines.iter().rev().filter(|l| !l.dashed);
        for line in solid.chain(self.lines.iter().rev().filter(|l| l.dashed)) {
            for run in line.points.split(|p| !p.1.is_finite()).filter(|run| !run.is_empty()) {
                let style = stroke(line.colour, line.dashed);
                if let [only] = run {
                    let dot = Circle::new(*only, 2 * SCALE, colour(line.colour, false).filled());
                    chart.draw_series(std::iter::once(dot)).map_err(text_of)?;
                } else {
                    let element = PathElement::new(run.to_vec(), style);
                    chart.draw_series(std::iter::once(element)).map_err(text_of)?;
                }
            }
        }

        // A label that would run into the one before, or out of the picture, is left to the
        // report's timeline.
        let mut free_from = 0;
        for (x, name, y) in labels {
            let name = shortened(&name.replace('_', " "), 24);
            let width = text_width(&name);
            let mut x = pixel_x(x) + 4;
            if x + width > WIDTH {
                x -= width + 8;
            }
            let end = x + width;
            if x >= free_from.max(LEFT) {
                root.draw(&Text::new(name, at(x, y), font(0.9, &SOFT))).map_err(text_of)?;
                free_from = end + 8;
            }
        }
        if let Some((y, name)) = &self.limit {
            let share = (y - self.y.lo) / (self.y.hi - self.y.lo);
            let down = f64::from(PLOT_HEIGHT) * (1.0 - share);
            let y = top + down.round() as i32;
            // Above the line, or below where the line is at the very top.
            let y = if down < 36.0 { (y + 3).max(top + 18) } else { y - 15 };
            let x = WIDTH - RIGHT - text_width(name);
            root.draw(&Text::new(name.clone(), at(x, y), font(0.9, &INK))).map_err(text_of)?;
        }
        root.present().map_err(text_of)
    }

    /// Where each legend entry goes: x, row, name, and what stands before it.
    fn legend(&self) -> Vec<(i32, i32, String, Swatch)> {
        let lines = self.lines.iter().map(|line| {
            let swatch = Swatch::Line { colour: line.colour, dashed: line.dashed };
            (shortened(&line.name, 48), swatch)
        });
        let shades = self.shades.iter().enumerate();
        let shades = shades.map(|(shade, name)| ((*name).to_owned(), Swatch::Shade(shade)));
        let (mut x, mut row) = (0, 0);
        lines
            .chain(shades)
            .map(|(name, swatch)| {
                let width = 24 + text_width(&name) + 14;
                if x > 0 && x + width > WIDTH {
                    (x, row) = (0, row + 1);
                }
                let place = (x, row, name, swatch);
                x += width;
                place
            })
            .collect()
    }
}

fn shade_of(index: usize) -> RGBColor {
    RGBColor(0, 3, index.min(SHADES - 1) as u8)
}

fn colour(index: usize, dashed: bool) -> RGBColor {
    RGBColor(0, if dashed { 2 } else { 1 }, (index % COLOURS) as u8)
}

fn stroke(index: usize, dashed: bool) -> ShapeStyle {
    colour(index, dashed).stroke_width(2 * SCALE as u32 - 1)
}

/// Pixels that a text takes in the legend's type, roughly and rather too many.
fn text_width(text: &str) -> i32 {
    (text.chars().count() as f64 * 6.6).ceil() as i32
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most - 1).collect();
    out.push('…');
    out
}

/// Turns the stand-in colours into classes, and the root element into one that scales.
fn finish(text: &str, title: &str) -> String {
    // The library escapes what begins a tag, and lets through what no XML may hold.
    let mut svg: String = text.chars().map(|c| if in_xml(c) { c } else { '\u{FFFD}' }).collect();
    let classes = [
        (INK, "ink"),
        (SOFT, "soft"),
        (GRID, "grid"),
        (WARM, "warm"),
        (EVENT, "event"),
        (LIMIT, "limit"),
    ];
    for (stand_in, class) in classes {
        let hex = hex(stand_in);
        svg = svg.replace(&format!("stroke=\"{hex}\""), &format!("class=\"{class}-s\""));
        svg = svg.replace(&format!("fill=\"{hex}\""), &format!("class=\"{class}-f\""));
    }
    for index in 0..COLOURS {
        let (plain, dashed) = (hex(colour(index, false)), hex(colour(index, true)));
        svg = svg.replace(&format!("stroke=\"{plain}\""), &format!("class=\"s{index}\""));
        svg = svg.replace(&format!("stroke=\"{dashed}\""), &format!("class=\"s{index} dash\""));
        svg = svg.replace(&format!("fill=\"{plain}\""), &format!("class=\"f{index}\""));
    }
    for shade in 0..SHADES {
        let hex = hex(shade_of(shade));
        let (long, short) = (format!("fill=\"{hex}\""), format!("class=\"h{shade}\""));
        svg = svg.replace(&long, &short);
    }
    svg = svg.replace(" stroke=\"none\"", "");
    svg = svg.replace(" font-family=\"sans-serif\"", "").replace(" opacity=\"1\"", "");
    let Some(end) = svg.find('>') else { return svg };
    let view_box =
        svg.find("viewBox=\"").and_then(|start| svg[start + 9..].split('"').next()).unwrap_or("");
    let height = view_box.rsplit(' ').next().and_then(|h| h.parse::<i32>().ok()).unwrap_or(0);
    format!(
        "<svg class=\"odg-chart\" role=\"img\" aria-label=\"{}\" width=\"{WIDTH}\" \
         height=\"{}\" viewBox=\"{view_box}\" xmlns=\"http://www.w3.org/2000/svg\">{}",
        crate::escape::xml(title),
        height / SCALE,
        &svg[end + 1..]
    )
}

/// Whether XML 1.0 may hold the character.
fn in_xml(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn hex(c: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", c.0, c.1, c.2)
}
