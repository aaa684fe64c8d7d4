//! A table of counts as a picture: classes in rows, what became of their answers in columns.

use crate::chart::fonts;
use crate::error::Error;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// The outcomes.
    pub columns: Vec<String>,
    /// The classes, each with a count for every outcome.
    pub rows: Vec<(String, Vec<usize>)>,
}

/// Width of the names of the rows, and of a column; height of a row.
const NAMES: i32 = 190;
const COLUMN: i32 = 104;
const ROW: i32 = 30;

/// The picture as SVG. A cell is the darker, the larger its share of the row is, by its square root, so that one wrong
/// answer of a hundred is visible; it shows the count.
///
/// # Errors
/// If it cannot be drawn, which does not depend on the counts.
pub fn svg(confusion: &Confusion) -> Result<String, Error> {
    fonts();
    let mut text = String::new();
    draw(&mut text, confusion).map_err(|error| Error::Refused(format!("the picture cannot be drawn: {error}")))?;
    Ok(text)
}

fn draw(text: &mut String, Confusion { columns, rows }: &Confusion) -> Result<(), Box<dyn std::error::Error>> {
    let size = ((NAMES + COLUMN * columns.len() as i32 + 10) as u32, (ROW * (rows.len() as i32 + 1) + 10) as u32);
    let area = SVGBackend::with_string(text, size).into_drawing_area();
    area.fill(&WHITE)?;
    let label = |colour: RGBColor, horizontal: HPos| {
        let style = ("sans-serif", 13).into_font().color(&colour);
        style.pos(Pos::new(horizontal, VPos::Center))
    };
    for (column, name) in columns.iter().enumerate() {
        let x = NAMES + COLUMN * column as i32 + COLUMN / 2;
        area.draw(&Text::new(name.clone(), (x, ROW / 2 + 5), label(BLACK, HPos::Center)))?;
    }
    for (row, (name, counts)) in rows.iter().enumerate() {
        let y = ROW * (row as i32 + 1) + 5;
        area.draw(&Text::new(name.clone(), (8, y + ROW / 2), label(BLACK, HPos::Left)))?;
        let all = counts.iter().sum::<usize>().max(1) as f64;
        for (column, &count) in counts.iter().enumerate() {
            let x = NAMES + COLUMN * column as i32;
            let share = (count as f64 / all).sqrt();
            // From white to the blue (first column, right) or the vermilion (wrong) of the Okabe–Ito palette.
            let colour = if column == 0 { RGBColor(0x00, 0x72, 0xb2) } else { RGBColor(0xd5, 0x5e, 0x00) };
            let cell = [(x + 1, y + 1), (x + COLUMN - 1, y + ROW - 1)];
            area.draw(&Rectangle::new(cell, colour.mix(share).filled()))?;
            if count > 0 {
                let ink = if share > 0.6 { WHITE } else { BLACK };
                let centre = (x + COLUMN / 2, y + ROW / 2);
                area.draw(&Text::new(count.to_string(), centre, label(ink, HPos::Center)))?;
            }
        }
    }
    area.present()?;
    drop(area);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_but_zero_is_written() {
        let columns = vec!["exact".into(), "refused".into()];
        let confusion = Confusion { columns, rows: vec![("a".into(), vec![417, 0]), ("b".into(), vec![0, 23])] };
        let picture = svg(&confusion).expect("a picture");
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
        assert!(["exact", "refused", "417", "23"].iter().all(|word| picture.contains(word)), "{picture}");
        assert!(!picture.lines().any(|line| line.trim() == "0"), "{picture}");
    }
}
