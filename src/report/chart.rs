//! Charts as inline SVG, drawn in the colour of the text around them.

use super::html::escaped;
use super::text::plain;
use super::{Count, Moment};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use time::OffsetDateTime;

type Drawn = Result<(), Box<dyn Error>>;
type Area<'s> = DrawingArea<SVGBackend<'s>, plotters::coord::Shift>;

const SIZE: (u32, u32) = (640, 240);
/// The most bars of which each has its label.
const LABELS_MAX: usize = 12;
/// Stands for the colour of the text, which SVG knows and the library does not.
const INK: RGBColor = RGBColor(1, 2, 3);
const INK_IN_SVG: &str = "\"#010203\"";
/// Family, size and colour of what is written.
const LABEL: (&str, u32, &RGBColor) = ("sans-serif", 14, &INK);
/// Can be told from white and from black.
const BLUE: RGBColor = RGBColor(59, 130, 214);

/// Says what a chart shows to those who cannot see it.
pub(super) struct Caption<'c> {
    /// Unique on the page.
    pub(super) id: &'c str,
    pub(super) title: &'c str,
    pub(super) description: &'c str,
}

/// A bar for each count; none when there is nothing to show.
pub(super) fn bars(caption: &Caption<'_>, counts: &[Count]) -> Option<String> {
    let most = counts.iter().map(|it| it.count).max().filter(|most| *most > 0)?;
    drawn(caption, |area| draw_bars(area, counts, measure(most)))
}

#[expect(clippy::cast_precision_loss, reason = "as many as a picture can show")]
const fn measure(count: u64) -> f64 {
    count as f64
}

/// A whole number as it is written; nothing for one between.
fn whole(count: f64) -> String {
    let nearest = count.round();
    if (count - nearest).abs() < 1e-9 { format!("{nearest:.0}") } else { String::new() }
}

fn draw_bars(area: &Area<'_>, counts: &[Count], most: f64) -> Drawn {
    let places = || counts.iter().zip(0_u32..).map(|(count, at)| (count, f64::from(at)));
    let end = places().last().map_or(1.0, |(_, at)| at + 1.0);
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(5)
        .y_label_formatter(&|count| whole(*count))
        .axis_style(INK)
        .bold_line_style(INK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .label_style(LABEL)
        .draw()?;
    let bar = |(count, at): (&Count, f64)| {
        let corners = [(at + 0.08, 0.0), (at + 0.92, measure(count.count))];
        Rectangle::new(corners, BLUE.filled())
    };
    chart.draw_series(places().map(bar))?;
    // Where there are many, there is no room for every label.
    let style = LABEL.into_text_style(area).pos(Pos::new(HPos::Center, VPos::Top));
    for (count, at) in places().step_by(counts.len().div_ceil(LABELS_MAX).max(1)) {
        let (x, y) = chart.backend_coord(&(at + 0.5, 0.0));
        area.draw(&Text::new(plain(&count.label), (x, y.saturating_add(8)), style.clone()))?;
    }
    Ok(area.present()?)
}

/// A line through the moments; none when there is nothing to show.
pub(super) fn line(caption: &Caption<'_>, moments: &[Moment]) -> Option<String> {
    let points = moments.iter().filter(|it| it.average.is_finite());
    let points: Vec<(f64, f64)> =
        points.map(|it| (seconds(it.at), it.average.clamp(0.0, 100.0))).collect();
    let first = points.iter().map(|it| it.0).reduce(f64::min)?;
    let last = points.iter().map(|it| it.0).reduce(f64::max)?;
    // One moment alone lies in the middle of its day.
    let half_day = if first < last { 0.0 } else { 43_200.0 };
    drawn(caption, |area| draw_line(area, points, first - half_day..last + half_day))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of nine thousand years are exact")]
const fn seconds(at: OffsetDateTime) -> f64 {
    at.unix_timestamp() as f64
}

#[expect(clippy::cast_possible_truncation, reason = "what is out of range is no date")]
fn date(seconds: f64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds as i64);
    at.map(|at| at.date().to_string()).unwrap_or_default()
}

fn draw_line(area: &Area<'_>, points: Vec<(f64, f64)>, span: std::ops::Range<f64>) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(40)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(span, 0.0..100.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(5)
        .x_label_formatter(&|at| date(*at))
        .y_labels(5)
        .y_label_formatter(&|score| format!("{score:.0}"))
        .axis_style(INK)
        .bold_line_style(INK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .label_style(LABEL)
        .draw()?;
    let dots = points.iter().map(|point| Circle::new(*point, 2, BLUE.filled())).collect::<Vec<_>>();
    chart.draw_series([PathElement::new(points, BLUE.stroke_width(2))])?;
    chart.draw_series(dots)?;
    Ok(area.present()?)
}

/// What `draw` draws, as an element of a page; none if the library cannot draw it.
fn drawn(caption: &Caption<'_>, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Option<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area).ok()?;
    }
    // Within a page the element needs no name of its language, and is as wide as there is room.
    let (_, inside) = svg.split_once('>')?;
    let inside = inside.replace(INK_IN_SVG, "\"currentColor\"");
    let Caption { id, title, description } = caption;
    let (title, description) = (escaped(title), escaped(description));
    let (width, height) = SIZE;
    Some(format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
         <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>{}\n",
        inside.trim_end()
    ))
}
