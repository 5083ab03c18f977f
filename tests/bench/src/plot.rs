//! The chart in the README: bars on logarithmic scales, as an SVG.

use std::fmt::{self, Write as _};

use crate::{functions::SHIPPED, measure::Figures, report::Report};

const WIDTH: f64 = 760.0;
const BAR: f64 = 18.0;
const STEP: f64 = 24.0;
const LABELS: f64 = 180.0;
/// The longest bar, which leaves room for the figures.
const LONGEST: f64 = 470.0;
/// The colours of the functions and of their peers.
const OURS: &str = "#0b7a4b";
const OTHERS: &str = "#9aa5b1";

/// A comparison of all programs.
struct Panel {
    title: &'static str,
    unit: &'static str,
    figure: fn(&Figures) -> f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
const PANELS: [Panel; 3] = [
    Panel { title: "Start to ready, connections open over TLS", unit: "ms", figure: |of| of.start_ms.median },
    Panel { title: "Instructions of that start", unit: "million", figure: |of| of.instructions_tls.start as f64 / 1e6 },
    Panel { title: "Peak memory", unit: "MB", figure: |of| of.peak_memory_bytes.median / 1e6 },
];

pub(crate) fn svg(report: &Report) -> Result<String, fmt::Error> {
    #[expect(clippy::cast_precision_loss, reason = "a handful of programs")]
    let panel_height = 44.0 + STEP * report.programs.len() as f64;
    let height = panel_height * 3.0 + 40.0;
    let mut svg = String::new();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13">"#
    )?;
    writeln!(svg, r##"<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>"##)?;
    let mut top = 0.0;
    for panel in &PANELS {
        write_panel(&mut svg, panel, &report.programs, top)?;
        top += panel_height;
    }
    let machine = report.machine.to_string().replace('&', "&amp;").replace('<', "&lt;");
    writeln!(
        svg,
        r##"<text x="16" y="{}" font-size="11" fill="#52606d">{machine}. Logarithmic scales.</text>"##,
        top + 24.0
    )?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn write_panel(svg: &mut String, panel: &Panel, programs: &[Figures], top: f64) -> fmt::Result {
    let Panel { title, unit, figure } = panel;
    writeln!(svg, r##"<text x="16" y="{}" font-weight="600" fill="#1f2933">{title} ({unit})</text>"##, top + 28.0)?;
    let figures = || programs.iter().map(figure);
    // Less than the smallest, so that its bar is visible.
    let least = figures().fold(f64::INFINITY, f64::min) / 1.5;
    let most = figures().fold(0.0, f64::max);
    let mut y = top + 40.0;
    for program in programs {
        let value = figure(program);
        let length = LONGEST * (value / least).ln() / (most / least).ln();
        let colour = if SHIPPED.contains(&program.name) { OURS } else { OTHERS };
        let text = y + BAR - 5.0;
        writeln!(
            svg,
            r##"<text x="{}" y="{text}" text-anchor="end" fill="#1f2933">{}</text><rect x="{LABELS}" y="{y}" width="{length:.1}" height="{BAR}" rx="3" fill="{colour}"/><text x="{:.1}" y="{text}" fill="#1f2933">{}</text>"##,
            LABELS - 8.0,
            program.name,
            LABELS + length + 6.0,
            three_digits(value),
        )?;
        y += STEP;
    }
    Ok(())
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_three_digits() {
        assert_eq!([0.5, 9.876, 12.34, 987.6].map(three_digits), ["0.50", "9.88", "12.3", "988"]);
    }
}
