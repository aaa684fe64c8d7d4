//! The targets, variants, workloads and metrics that a command selects.

use crate::targets::Cell;
use crate::workspace::error::{Error, nearest};
use regex::Regex;

/// Patterns of one flag: a name is chosen if any plain pattern matches it (or none was given) and no pattern
/// with a leading `!` does.
#[derive(Debug, Clone)]
pub struct Patterns {
    kind: &'static str,
    texts: Vec<String>,
    include: Vec<Regex>,
    exclude: Vec<Regex>,
}

impl Patterns {
    /// Parses the values of the flag `--kind`.
    ///
    /// # Errors
    /// If a pattern is not a regular expression.
    pub fn parse(kind: &'static str, texts: &[String]) -> Result<Self, Error> {
        let mut patterns = Patterns { kind, texts: texts.to_vec(), include: Vec::new(), exclude: Vec::new() };
        for text in texts {
            let (list, pattern) = match text.strip_prefix('!') {
                Some(rest) => (&mut patterns.exclude, rest),
                None => (&mut patterns.include, text.as_str()),
            };
            let regex = Regex::new(pattern).map_err(|error| Error::Pattern {
                kind,
                pattern: pattern.to_string(),
                message: error.to_string().lines().last().unwrap_or("").trim().to_string(),
            })?;
            list.push(regex);
        }
        Ok(patterns)
    }

    /// Whether no pattern was given.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Whether the name is chosen.
    pub fn matches(&self, name: &str) -> bool {
        let included = self.include.is_empty() || self.include.iter().any(|regex| regex.is_match(name));
        included && !self.exclude.iter().any(|regex| regex.is_match(name))
    }

    /// The chosen items.
    ///
    /// # Errors
    /// If none is chosen: a check of nothing must not pass.
    pub fn choose<T>(&self, items: impl IntoIterator<Item = T>, name: impl Fn(&T) -> String) -> Result<Vec<T>, Error> {
        let mut seen = Vec::new();
        let mut chosen = Vec::new();
        for item in items {
            let text = name(&item);
            if self.matches(&text) {
                chosen.push(item);
            }
            seen.push(text);
        }
        if chosen.is_empty() {
            let wanted = self.texts.iter().find(|text| !text.starts_with('!'));
            let nearest = wanted.and_then(|wanted| nearest(wanted, seen.iter().map(String::as_str)));
            let pattern = self.texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" ");
            return Err(Error::EmptySelection { kind: self.kind, pattern, nearest });
        }
        Ok(chosen)
    }
}

/// The selection flags of a command.
#[derive(Debug, Clone)]
pub struct Selection {
    /// `--target`
    pub target: Patterns,
    /// `--variant`
    pub variant: Patterns,
    /// `--workload`
    pub workload: Patterns,
    /// `--metric`
    pub metric: Patterns,
}

impl Selection {
    /// Parses the values of the four flags.
    ///
    /// # Errors
    /// If a pattern is not a regular expression.
    pub fn parse(target: &[String], variant: &[String], workload: &[String], metric: &[String]) -> Result<Self, Error> {
        Ok(Selection {
            target: Patterns::parse("target", target)?,
            variant: Patterns::parse("variant", variant)?,
            workload: Patterns::parse("workload", workload)?,
            metric: Patterns::parse("metric", metric)?,
        })
    }

    /// The chosen cells.
    ///
    /// # Errors
    /// If there is none.
    pub fn cells(&self) -> Result<Vec<Cell>, Error> {
        let cells = self.target.choose(Cell::all(), |cell| cell.target.name.to_string())?;
        self.variant.choose(cells, |cell| cell.variant.name.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Selection;
    use crate::targets::Cell;
    use crate::workspace::error::Error;

    fn cells(target: &[&str], variant: &[&str]) -> Result<Vec<String>, Error> {
        let own = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let selection = Selection::parse(&own(target), &own(variant), &[], &[])?;
        Ok(selection.cells()?.iter().map(|cell| cell.to_string()).collect())
    }

    #[test]
    fn plain_patterns_add_and_negated_ones_remove() {
        assert_eq!(cells(&["wasm"], &[]).unwrap(), ["wasm/generic", "wasm/simd128", "wasm/relaxed_simd"]);
        let some = ["native", "wasm", "xtensa", "!native"];
        assert_eq!(cells(&some, &["!generic"]).unwrap(), ["wasm/simd128", "wasm/relaxed_simd", "xtensa/lut"]);
        assert!(cells(&["!native"], &[]).unwrap().iter().all(|cell| !cell.starts_with("native/")));
        assert_eq!(cells(&["native", "wasm", "!was"], &["avx2"]).unwrap(), ["native/avx2"]);
        assert_eq!(cells(&[], &[]).unwrap().len(), Cell::all().count());
    }

    #[test]
    fn an_empty_selection_is_an_error_that_names_the_nearest() {
        let error = cells(&["navite"], &[]).unwrap_err();
        assert_eq!(error.exit().code(), 2);
        assert!(error.to_string().contains("nearest is `native`"), "{error}");
        assert!(cells(&["native"], &["simd"]).unwrap_err().to_string().contains("no variant matches `simd`"));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = cells(&["nat(ive"], &[]).unwrap_err();
        assert!(error.to_string().contains("`nat(ive` is not a regular expression for --target"), "{error}");
    }
}
