//! Lines over time in a terminal: two by four dots a character, as braille has them.

use std::fmt::Write as _;

use super::table::short;

/// A chart is no wider than this, so that its end is found again on the next line.
const MOST_COLUMNS: usize = 72;
const FEWEST_COLUMNS: usize = 8;
const ROWS: usize = 12;
/// Characters of a line drawn in a row of a table.
const SPARKLINE_COLUMNS: usize = 24;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Colours of the terminal that are told apart on light and dark grounds.
const COLORS: [u8; 6] = [36, 33, 35, 32, 34, 31];

/// A series: Unix seconds and values, ascending in time.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Line {
    fn finite(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.points.iter().copied().filter(|(_, value)| value.is_finite())
    }

    /// Smallest and largest value; NaN where there is none.
    pub fn extremes(&self) -> (f64, f64) {
        let values = self.finite().map(|(_, value)| value);
        (values.clone().fold(f64::NAN, f64::min), values.fold(f64::NAN, f64::max))
    }
}

/// Lines with common axes.
pub struct Chart<'a> {
    pub lines: &'a [Line],
    /// First and last second of the time axis.
    pub window: (f64, f64),
    pub colors: bool,
    /// Characters that a line of the terminal has.
    pub width: Option<usize>,
}

/// A character: its dots, and the line that was drawn there last.
#[derive(Clone, Copy, Default)]
struct Cell {
    dots: u8,
    line: usize,
}

impl Chart<'_> {
    /// The chart with its axes.
    pub fn plot(&self) -> String {
        let extremes = self.lines.iter().map(Line::extremes);
        let (min, max) = extremes.fold((f64::NAN, f64::NAN), |all, one| (all.0.min(one.0), all.1.max(one.1)));
        if min.is_nan() {
            return "Nothing to draw: no value is a finite number.".to_owned();
        }
        // A constant is drawn in the middle.
        let (low, high) = if min < max { (min, max) } else { (min - 1.0, max + 1.0) };
        let labels = [high, f64::midpoint(low, high), low].map(short);
        let margin = labels.iter().map(String::len).max().unwrap_or(0);
        let columns = self.columns(margin);
        let mut cells = vec![vec![Cell::default(); columns]; ROWS];
        for (index, line) in self.lines.iter().enumerate() {
            let mut last = None;
            for (time, value) in line.finite() {
                let dot = (self.across(time, columns * 2), across(value, (low, high), ROWS * 4));
                connect(last.unwrap_or(dot), dot, |x, y| mark(&mut cells, x, y, index));
                last = Some(dot);
            }
        }
        self.framed(&cells, &labels, margin)
    }

    /// How many characters the drawing has beside a margin for the labels and the axis.
    fn columns(&self, margin: usize) -> usize {
        let beside = self.width.map_or(MOST_COLUMNS, |width| width.saturating_sub(margin + 2));
        beside.clamp(FEWEST_COLUMNS, MOST_COLUMNS)
    }

    /// The drawing with labels of the highest, the middle and the lowest row.
    fn framed(&self, cells: &[Vec<Cell>], labels: &[String; 3], width: usize) -> String {
        let columns = self.columns(width);
        let mut text = String::new();
        for (row, cells) in cells.iter().enumerate() {
            let label = match row {
                0 => &labels[0],
                _ if row == ROWS / 2 => &labels[1],
                _ if row == ROWS - 1 => &labels[2],
                _ => "",
            };
            let tick = if label.is_empty() { '│' } else { '┤' };
            text.push_str(&format!("{label:>width$} {tick}"));
            for cell in cells {
                self.push(&mut text, *cell);
            }
            text.push('\n');
        }
        let (start, end) = (clock(self.window.0, true), clock(self.window.1, !self.same_day()));
        let margin = " ".repeat(width + 1);
        text.push_str(&format!("{margin}└{}\n", "─".repeat(columns)));
        match (columns + 1).checked_sub(start.len() + end.len()).filter(|gap| *gap > 0) {
            Some(gap) => text.push_str(&format!("{margin}{start}{}{end}", " ".repeat(gap))),
            None => text.push_str(&format!("{start} to\n{end}")),
        }
        text
    }

    fn push(&self, text: &mut String, cell: Cell) {
        let braille = char::from_u32(0x2800 + u32::from(cell.dots)).unwrap_or(' ');
        match cell.dots {
            0 => text.push(' '),
            _ if self.colors => text.push_str(&self.colored(cell.line, braille)),
            _ => text.push(braille),
        }
    }

    /// What tells the line in the chart from the others.
    pub fn mark(&self, line: usize) -> String {
        self.colored(line, '●')
    }

    fn colored(&self, line: usize, text: char) -> String {
        format!("\u{1b}[{}m{text}\u{1b}[0m", COLORS[line % COLORS.len()])
    }

    /// The line alone in block characters, between its own smallest and largest value; empty where it has no samples.
    pub fn sparkline(&self, line: &Line) -> String {
        let (min, max) = line.extremes();
        let mut text = String::new();
        for column in 0..SPARKLINE_COLUMNS {
            let here = |time| self.across(time, SPARKLINE_COLUMNS) == column;
            let last = line.finite().filter(|(time, _)| here(*time)).last();
            let block = match last {
                None => ' ',
                Some(_) if min == max => BLOCKS[3],
                Some((_, value)) => BLOCKS[across(value, (min, max), BLOCKS.len())],
            };
            let _ = write!(text, "{block}");
        }
        text
    }

    fn across(&self, time: f64, steps: usize) -> usize {
        let (start, end) = self.window;
        if start < end { across(time, self.window, steps) } else { steps / 2 }
    }

    fn same_day(&self) -> bool {
        clock(self.window.0, true).get(..10) == clock(self.window.1, true).get(..10)
    }
}

/// Which of `steps` equal parts of the range the value is in.
fn across(value: f64, (low, high): (f64, f64), steps: usize) -> usize {
    // Halved before the difference is made, which could be infinite.
    let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to the steps"
    )]
    let step = (share.clamp(0.0, 1.0) * (steps - 1) as f64).round() as usize;
    step.min(steps - 1)
}

/// All dots on the straight way between two.
fn connect((x0, y0): (usize, usize), (x1, y1): (usize, usize), mut draw: impl FnMut(usize, usize)) {
    let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
    let between = |from: usize, to: usize, step: usize| {
        let distance = from.abs_diff(to) * step / steps;
        if from < to { from + distance } else { from - distance }
    };
    for step in 0..=steps {
        draw(between(x0, x1, step), between(y0, y1, step));
    }
}

/// Sets a dot; `y` counts from below.
fn mark(cells: &mut [Vec<Cell>], x: usize, y: usize, line: usize) {
    // Braille numbers its dots down the left column, then down the right, the lowest row last.
    const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let from_above = ROWS * 4 - 1 - y;
    let cell = &mut cells[from_above / 4][x / 2];
    cell.dots |= DOTS[from_above % 4][x % 2];
    cell.line = line;
}

fn clock(seconds: f64, with_date: bool) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let time = jiff::Timestamp::from_second(seconds as i64);
    let format = if with_date { "%Y-%m-%d %H:%M:%S" } else { "%H:%M:%S" };
    time.map_or_else(|_| seconds.to_string(), |time| time.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, f64)]) -> Line {
        Line { name: String::new(), points: points.to_vec() }
    }

    fn plot(points: &[(f64, f64)]) -> String {
        Chart { lines: &[line(points)], window: (0.0, 60.0), colors: false, width: None }.plot()
    }

    #[test]
    fn a_rising_line_goes_from_the_lower_left_to_the_upper_right() {
        let text = plot(&[(0.0, 0.0), (60.0, 10.0)]);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), ROWS + 2);
        assert!(rows[0].starts_with("10 ┤ ") && !rows[0].ends_with(' '), "{text}");
        assert!(rows[ROWS - 1].starts_with(" 0 ┤⣀"), "{text}");
        assert!(rows[ROWS - 1].ends_with(' '), "{text}");
        assert!(rows[ROWS / 2].starts_with(" 5 ┤"), "{text}");
    }

    #[test]
    fn odd_lines_are_drawn_or_explained() {
        assert!(plot(&[]).starts_with("Nothing to draw"));
        assert!(plot(&[(0.0, f64::NAN), (1.0, f64::INFINITY)]).starts_with("Nothing to draw"));
        for points in
            [[(0.0, 1.0), (60.0, 1.0)], [(0.0, -f64::MAX), (60.0, f64::MAX)], [(-5.0, 1.0), (600.0, 2.0)]]
        {
            assert!(plot(&points).contains('┤'));
        }
        let alone = [line(&[(5.0, 1.0)])];
        let chart = Chart { lines: &alone, window: (5.0, 5.0), colors: true, width: None };
        assert!(chart.plot().contains("\u{1b}[36m"));
        assert_eq!(chart.sparkline(&alone[0]).trim(), "▄");
    }

    #[test]
    fn a_chart_is_as_wide_as_the_terminal() {
        for width in [10, 30, 60, 200] {
            let lines = [line(&[(0.0, 0.0), (60.0, 12_345_678.5)])];
            let text = Chart { lines: &lines, window: (0.0, 6e4), colors: false, width: Some(width) }.plot();
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width.max(30), "{widest} of {width}\n{text}");
        }
    }

    #[test]
    fn a_sparkline_shows_gaps() {
        let lines = [line(&[(0.0, 0.0), (30.0, 5.0), (60.0, 10.0)])];
        let chart = Chart { lines: &lines, window: (0.0, 60.0), colors: false, width: None };
        let text = chart.sparkline(&lines[0]);
        assert_eq!(text.chars().count(), SPARKLINE_COLUMNS);
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["▁", "▅", "█"]);
    }
}
