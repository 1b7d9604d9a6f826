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
/// The room around the chart, and beside it for what is written at its axes.
const MARGIN: u32 = 8;
const LEFT: u32 = 56;
const BELOW: u32 = 24;
/// What is left of the width for bars.
const BARS_WIDTH: f64 = 568.0;
/// The sizes of letters in the picture: the usual one, and the least that can be read.
const LETTERS: (f64, f64) = (13.0, 9.5);
/// The library makes letters smaller than it is told, by this factor.
const LIBRARY: f64 = 1.24;
/// How wide a letter is, as a share of its size, and how far labels are apart.
const LETTER_WIDTH: f64 = 0.54;
const GAP: f64 = 6.0;
/// How wide a date is, with some room beside it.
const DATE_WIDTH: u32 = 88;
/// Stands for the colour of the text, which SVG knows and the library does not.
const INK: RGBColor = RGBColor(1, 2, 3);
const INK_IN_SVG: &str = "\"#010203\"";
/// Family, size and colour of what is written.
const LABEL: (&str, f64, &RGBColor) = ("sans-serif", LETTERS.0 * LIBRARY, &INK);
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

/// The size of letters, and every how many labels are written, so that those of `letters` letters
/// that are `room` apart do not overlap.
fn labelling(letters: usize, room: f64) -> (f64, usize) {
    let letters = f64::from(u32::try_from(letters).unwrap_or(u32::MAX).max(1));
    let fitting = (room - GAP) / (letters * LETTER_WIDTH);
    if fitting >= LETTERS.1 {
        return (fitting.min(LETTERS.0), 1);
    }
    let every = (letters * LETTER_WIDTH * LETTERS.0 + GAP) / room;
    (LETTERS.0, steps(every))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
fn steps(every: f64) -> usize {
    every.ceil().clamp(1.0, 1e6) as usize
}

fn draw_bars(area: &Area<'_>, counts: &[Count], most: f64) -> Drawn {
    let places = || counts.iter().zip(0_u32..).map(|(count, at)| (count, f64::from(at)));
    let end = places().last().map_or(1.0, |(_, at)| at + 1.0);
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT)
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
    let longest = counts.iter().map(|it| it.label.chars().count()).max().unwrap_or(0);
    let (size, every) = labelling(longest, BARS_WIDTH / end);
    let style = ("sans-serif", size * LIBRARY, &INK).into_text_style(area);
    let style = style.pos(Pos::new(HPos::Center, VPos::Top));
    for (count, at) in places().step_by(every) {
        let (x, y) = chart.backend_coord(&(at + 0.5, 0.0));
        area.draw(&Text::new(plain(&count.label), (x, y.saturating_add(8)), style.clone()))?;
    }
    Ok(area.present()?)
}

/// A line through the moments; none when there is nothing to show.
pub(super) fn line(caption: &Caption<'_>, moments: &[Moment]) -> Option<String> {
    let points = moments.iter().filter(|it| it.average.is_finite());
    let mut points: Vec<(f64, f64)> =
        points.map(|it| (seconds(it.at), it.average.clamp(0.0, 100.0))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first, last) = (points.first()?.0, points.last()?.0);
    // One moment alone lies in the middle of its day.
    let half_day = if first < last { 0.0 } else { 43_200.0 };
    drawn(caption, |area| draw_line(area, &points, first - half_day..last + half_day))
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

fn draw_line(area: &Area<'_>, points: &[(f64, f64)], span: std::ops::Range<f64>) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_right(DATE_WIDTH / 2)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(span, 0.0..100.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(6)
        .y_label_formatter(&|score| format!("{score:.0}"))
        .axis_style(INK)
        .bold_line_style(INK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .label_style(LABEL)
        .draw()?;
    let dots = points.iter().map(|point| Circle::new(*point, 2, BLUE.filled())).collect::<Vec<_>>();
    chart.draw_series([PathElement::new(points, BLUE.stroke_width(2))])?;
    chart.draw_series(dots)?;
    // Each date stands below its moment, as many of them as there is room for, the last in any case.
    let style = LABEL.into_text_style(area).pos(Pos::new(HPos::Center, VPos::Top));
    let mut next = i32::MAX;
    for (at, _) in points.iter().rev() {
        let (x, y) = chart.backend_coord(&(*at, 0.0));
        if x <= next {
            area.draw(&Text::new(date(*at), (x, y.saturating_add(8)), style.clone()))?;
            next = x.saturating_sub_unsigned(DATE_WIDTH);
        }
    }
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
