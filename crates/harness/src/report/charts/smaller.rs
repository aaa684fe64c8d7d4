//! Smaller SVG files: pages include every chart, and published ones are kept in the repository.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The same picture in less: without what is the default anyway, with equal lines in one path, and the usual text style at the root.
pub(super) fn smaller(svg: &str) -> String {
    with_usual_text(&with_paths(&without_defaults(svg)))
}

/// Without what is the default anyway or stands at the root.
fn without_defaults(svg: &str) -> String {
    let defaults = [
        " opacity=\"1\"",
        " stroke=\"none\"",
        " stroke-width=\"1\"",
        " text-anchor=\"start\"",
        " font-family=\"sans-serif\"",
    ];
    let mut out = defaults.iter().fold(svg.to_string(), |text, default| text.replace(default, ""));
    out = out.replace(" \"/>", "\"/>").replace("\n</text>", "</text>");
    // Text begins on a line of its own, and sizes have 15 decimals.
    let mut small = String::with_capacity(out.len());
    for line in out.lines() {
        let Some((before, rest)) = line.split_once("font-size=\"") else {
            small.push_str(line);
            small.push_str(if line.starts_with("<text") { "" } else { "\n" });
            continue;
        };
        let (size, after) = rest.split_once('"').unwrap_or((rest, ""));
        let size = size.parse::<f64>().map_or(size.to_string(), |size| format!("{:.1}", size));
        small.push_str(&format!("{before}font-size=\"{size}\"{after}"));
    }
    small
}

/// With one path in place of lines that follow each other and have the same attributes, such as a grid.
fn with_paths(svg: &str) -> String {
    let mut out = String::with_capacity(svg.len());
    let mut open = None;
    for line in svg.lines() {
        let parts = line.strip_prefix("<polyline ").and_then(|line| line.strip_suffix("\"/>"));
        let parts = parts.and_then(|line| line.split_once(" points=\""));
        if open.is_some() && open != parts.map(|(attributes, _)| attributes) {
            out.push_str("\"/>\n");
        }
        let Some((attributes, points)) = parts else {
            open = None;
            out.push_str(line);
            out.push('\n');
            continue;
        };
        if open != Some(attributes) {
            let _ = write!(out, "<path {attributes} d=\"");
        }
        open = Some(attributes);
        let mut last = None;
        for (x, y) in points.split_whitespace().filter_map(|point| point.split_once(',')) {
            let _ = match last {
                None => write!(out, "M{x} {y}"),
                Some((same, _)) if same == x => write!(out, "V{y}"),
                Some((_, same)) if same == y => write!(out, "H{x}"),
                Some(_) => write!(out, "L{x} {y}"),
            };
            last = Some((x, y));
        }
    }
    out
}

/// With the most frequent size and colour of texts at the root; everything else has its own colour.
fn with_usual_text(svg: &str) -> String {
    let style = |line: &str| {
        let start = line.find(" font-size=\"")?;
        let fill = start + line[start..].find(" fill=\"")?;
        let end = fill + " fill=\"".len() + line[fill + " fill=\"".len()..].find('"')? + 1;
        line.starts_with("<text").then(|| line[start..end].to_string())
    };
    let mut counts = BTreeMap::<String, usize>::new();
    svg.lines().filter_map(style).for_each(|style| *counts.entry(style).or_default() += 1);
    match counts.into_iter().max_by_key(|(_, count)| *count) {
        Some((usual, _)) => svg.replace(&usual, "").replacen("<svg", &format!("<svg{usual}"), 1),
        None => svg.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::smaller;

    #[test]
    fn lines_of_one_style_are_one_path_and_the_usual_text_style_is_the_roots() {
        let line = |stroke: &str, points: &str| {
            format!("<polyline fill=\"none\" opacity=\"1\" stroke=\"{stroke}\" points=\"{points} \"/>\n")
        };
        let text = |fill: &str, text: &str| {
            format!("<text x=\"1\" font-size=\"12.096774193548386\" opacity=\"1\" fill=\"{fill}\">\n{text}\n</text>\n")
        };
        let svg = format!(
            "<svg width=\"9\">\n{}{}{}{}{}{}</svg>\n",
            line("#1", "1,2 3,4"),
            line("#1", "5,6 5,8 9,8 9,8 1,0"),
            line("#2", "1,1 2,2"),
            text("#3", "a"),
            text("#4", "b"),
            text("#3", "c"),
        );
        let wanted = "<svg font-size=\"12.1\" fill=\"#3\" width=\"9\">\n\
            <path fill=\"none\" stroke=\"#1\" d=\"M1 2L3 4M5 6V8H9V8L1 0\"/>\n\
            <path fill=\"none\" stroke=\"#2\" d=\"M1 1L2 2\"/>\n\
            <text x=\"1\">a</text>\n\
            <text x=\"1\" font-size=\"12.1\" fill=\"#4\">b</text>\n\
            <text x=\"1\">c</text>\n\
            </svg>\n";
        assert_eq!(smaller(&svg), wanted);
    }
}
