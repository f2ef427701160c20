//! The comparison as a chart, SVG and PNG: speed-up over one CPU thread, one panel per workload, logarithmic.

use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Comparison, Row, WorkloadRow};
use crate::failure::{Failure, Result};
use crate::output::{metric, times};

const WIDTH: u32 = 1240;
/// Pixels of the PNG per unit of the drawing.
const SCALE: u32 = 2;
const MARGIN: i32 = 40;
const HEAD: i32 = 118;
const FOOT: i32 = 84;
const TITLE: i32 = 34;
const BAR: i32 = 26;
const GAP: i32 = 22;
/// Where the bars begin and end.
const LEFT: i32 = 210;
const RIGHT: i32 = 800;

const INK: RGBColor = RGBColor(0x1b, 0x1f, 0x24);
const QUIET: RGBColor = RGBColor(0x6b, 0x73, 0x7d);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
const AXIS: RGBColor = RGBColor(0x9a, 0xa2, 0xac);
const GOOD: RGBColor = RGBColor(0x1a, 0x7f, 0x4b);
const BAD: RGBColor = RGBColor(0xc6, 0x28, 0x28);
/// One thread, CPU, hardware GPU, software GPU, several.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0x9a, 0xa2, 0xac),
    RGBColor(0x2f, 0x6f, 0xde),
    RGBColor(0xe0, 0x7b, 0x1a),
    RGBColor(0xc9, 0xa9, 0x6e),
    RGBColor(0x7a, 0x4f, 0xc4),
];

type Area<'a, B> = DrawingArea<B, Shift>;

/// Writes chart.svg and chart.png into `folder`.
pub fn draw(comparison: &Comparison, folder: &Path) -> Result<()> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // Without the font, the PNG says so itself when it is drawn.
        let _ =
            plotters::style::register_font("sans-serif", FontStyle::Normal, include_bytes!("../../assets/DejaVuSans-subset.ttf"));
    });
    let height = height(comparison);
    let svg = folder.join("chart.svg");
    let area = SVGBackend::new(&svg, (WIDTH, height)).into_drawing_area();
    paint(&area, &Canvas { comparison, scale: 1 }).map_err(|error| Failure::file(&svg, error))?;
    let png = folder.join("chart.png");
    let area = BitMapBackend::new(&png, (WIDTH * SCALE, height * SCALE)).into_drawing_area();
    paint(&area, &Canvas { comparison, scale: SCALE as i32 }).map_err(|error| Failure::file(&png, error))
}

fn panel_height(workload: &WorkloadRow) -> i32 {
    TITLE + BAR * workload.rows.len() as i32 + GAP
}

fn height(comparison: &Comparison) -> u32 {
    (HEAD + FOOT + comparison.workloads.iter().map(panel_height).sum::<i32>()).unsigned_abs()
}

struct Canvas<'a> {
    comparison: &'a Comparison,
    scale: i32,
}

impl Canvas<'_> {
    fn text<B: DrawingBackend>(
        &self,
        area: &Area<'_, B>,
        text: &str,
        at: (i32, i32),
        size: i32,
        colour: RGBColor,
        side: HPos,
    ) -> Painted {
        let style = ("sans-serif", size * self.scale).into_font().color(&colour).pos(Pos::new(side, VPos::Center));
        let at = (at.0 * self.scale, at.1 * self.scale);
        area.draw_text(text, &style, at).map_err(|error| error.to_string())
    }

    fn rect<B: DrawingBackend>(&self, area: &Area<'_, B>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Painted {
        let corner = |(x, y): (i32, i32)| (x * self.scale, y * self.scale);
        area.draw(&Rectangle::new([corner(from), corner(to)], colour.filled())).map_err(|error| error.to_string())
    }
}

type Painted = Result<(), String>;

fn paint<B: DrawingBackend>(area: &Area<'_, B>, canvas: &Canvas<'_>) -> Painted {
    let comparison = canvas.comparison;
    area.fill(&WHITE).map_err(|error| error.to_string())?;
    canvas.text(area, "unisono: the same work on every device", (MARGIN, 40), 26, INK, HPos::Left)?;
    let sizes = if comparison.quick { "; quick: small sizes" } else { "" };
    let subtitle = format!("Speed-up over one CPU thread, logarithmic; data and answers in host memory{sizes}");
    canvas.text(area, &subtitle, (MARGIN, 70), 15, QUIET, HPos::Left)?;
    let scale = Scale::new(comparison);
    let bottom = height(comparison) as i32 - FOOT;
    for (value, label) in scale.ticks() {
        let x = scale.x(value);
        let colour = if value == 1.0 { AXIS } else { GRID };
        canvas.rect(area, (x, HEAD - 8), (x + 1, bottom), colour)?;
        canvas.text(area, &label, (x, HEAD - 20), 13, QUIET, HPos::Center)?;
    }
    let mut y = HEAD;
    for workload in &comparison.workloads {
        // White behind the title, so that the grid does not run through it.
        canvas.rect(area, (MARGIN, y + 2), (WIDTH as i32 - MARGIN, y + TITLE - 6), WHITE)?;
        canvas.text(area, &workload.title, (MARGIN, y + TITLE / 2 - 2), 16, INK, HPos::Left)?;
        y += TITLE;
        for row in &workload.rows {
            bar(area, canvas, &scale, workload, row, y)?;
            y += BAR;
        }
        y += GAP;
    }
    legend(area, canvas, bottom + 28)?;
    area.present().map_err(|error| error.to_string())
}

fn bar<B: DrawingBackend>(
    area: &Area<'_, B>,
    canvas: &Canvas<'_>,
    scale: &Scale,
    workload: &WorkloadRow,
    row: &Row,
    y: i32,
) -> Painted {
    let middle = y + BAR / 2;
    canvas.text(area, &shortened(&row.device, 22), (LEFT - 14, middle), 14, INK, HPos::Right)?;
    if row.failure.is_some() {
        return canvas.text(area, "✗ failed", (RIGHT + 24, middle), 14, BAD, HPos::Left);
    }
    let colour = COLOURS[kind(canvas.comparison, &row.device)];
    let (one, x) = (scale.x(1.0), scale.x(row.speedup));
    let (from, to) = if x >= one { (one, x.max(one + 3)) } else { (x.min(one - 3), one) };
    canvas.rect(area, (from, y + 4), (to, y + BAR - 4), colour)?;
    let columns = [
        (times(row.speedup), RIGHT + 76, INK),
        (metric(row.seconds) + "s", RIGHT + 168, INK),
        (metric(row.throughput) + workload.unit, RIGHT + 306, QUIET),
    ];
    for (text, x, colour) in columns {
        canvas.text(area, &text, (x, middle), 14, colour, HPos::Right)?;
    }
    let (mark, colour) = match (row.ok, workload.promised_identical) {
        (true, true) => ("✓ identical", GOOD),
        (true, false) => ("✓ in bound", GOOD),
        (false, _) => ("✗ wrong", BAD),
    };
    canvas.text(area, mark, (RIGHT + 318, middle), 13, colour, HPos::Left)
}

fn legend<B: DrawingBackend>(area: &Area<'_, B>, canvas: &Canvas<'_>, mut y: i32) -> Painted {
    let mut x = MARGIN;
    for device in &canvas.comparison.devices {
        let kind = kind(canvas.comparison, &device.id);
        let label = match kind {
            0 => "cpu:1: one thread, the measure".to_string(),
            4 => "together".to_string(),
            _ => format!("{}: {}", device.id, shortened(&device.name, 36)),
        };
        let width = 20 + 22 + 7 * label.chars().count() as i32;
        if x + width > WIDTH as i32 - MARGIN {
            (x, y) = (MARGIN, y + 24);
        }
        canvas.rect(area, (x, y - 6), (x + 12, y + 6), COLOURS[kind])?;
        canvas.text(area, &label, (x + 20, y), 13, QUIET, HPos::Left)?;
        x += width;
    }
    Ok(())
}

/// The kind of a device, as an index of the colours.
fn kind(comparison: &Comparison, id: &str) -> usize {
    let class = comparison.devices.iter().find(|device| device.id == id).map_or("", |device| device.class.as_str());
    match class {
        _ if id == super::BASELINE => 0,
        "CPU" => 1,
        "software GPU" => 3,
        "several devices" => 4,
        _ => 2,
    }
}

fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_string();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

/// Speed-ups as places, logarithmic, between two round numbers.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn new(comparison: &Comparison) -> Self {
        let rows = comparison.workloads.iter().flat_map(|workload| &workload.rows).filter(|row| row.failure.is_none());
        let speedups: Vec<f64> = rows.map(|row| row.speedup).filter(|s| s.is_normal()).collect();
        let low = speedups.iter().copied().fold(0.5, f64::min).max(1e-6);
        let high = speedups.iter().copied().fold(2.0, f64::max).min(1e6);
        let round = || rounds(-6..7);
        let low = round().filter(|&r| r <= low).fold(1e-6, f64::max);
        let high = round().filter(|&r| r >= high).fold(1e6, f64::min);
        Self { low, high }
    }

    fn x(&self, speedup: f64) -> i32 {
        let share = (speedup / self.low).ln() / (self.high / self.low).ln();
        LEFT + (share.clamp(0.0, 1.0) * f64::from(RIGHT - LEFT)).round() as i32
    }

    /// The round numbers on the scale: powers of ten only if it is long.
    fn ticks(&self) -> Vec<(f64, String)> {
        let long = self.high / self.low > 2000.0;
        let is_power = |r: f64| (r.log10() - r.log10().round()).abs() < 1e-9;
        let shown = rounds(-6..7).filter(|&r| (self.low..=self.high).contains(&r) && (!long || is_power(r)));
        shown.map(|r| (r, format!("{r}×"))).collect()
    }
}

/// 1, 2 and 5 times the powers of ten.
fn rounds(exponents: std::ops::Range<i32>) -> impl Iterator<Item = f64> {
    exponents.flat_map(|e| [1, 2, 5].map(|m| format!("{m}e{e}").parse().unwrap_or(1.0)))
}
