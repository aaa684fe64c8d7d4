//! Measures the page, with `cargo test --release -p bitstate-web-e2e -- --measure`; nothing is judged.

use crate::page::Page;
use anyhow::{Context, ensure};

/// Loads of the page, each by a new profile.
pub const ROUNDS: usize = 7;
/// Tokens of a story that is timed.
const TOKENS: usize = 20_000;

/// One load of the page.
pub struct Load {
    /// Milliseconds from the start of the navigation to the first token in the text, with nothing cached.
    pub first: f64,
    /// Tokens per second of a story, text included.
    pub shown: f64,
    /// Those of the worker while it generated the same story.
    pub worker: f64,
}

/// The link to a short story.
pub fn link(page: &Page<'_>) -> anyhow::Result<String> {
    page.open("index.html")?;
    page.golden_settings(40)?;
    page.generate()?;
    page.link()
}

/// Follows `link` with a new profile, then lets the page generate a long story.
pub fn load(page: &Page<'_>, link: &str) -> anyhow::Result<Load> {
    page.browser.open("about:blank")?;
    page.browser.open(&format!("{}/index.html#{link}", page.site.origin))?;
    page.says("The same story")?;
    let first = number(page, "performance.getEntriesByName('first token')[0].startTime")?;
    page.any_token(TOKENS)?;
    let (mut tokens, mut shown, mut worker) = (0.0, 0.0, 0.0);
    while tokens < TOKENS as f64 {
        page.generate()?;
        let last = "performance.getEntriesByName('story').at(-1)";
        tokens += number(page, &format!("{last}.detail.tokens"))?;
        shown += number(page, &format!("{last}.duration"))?;
        worker += number(page, &format!("{last}.detail.spent"))?;
    }
    ensure!(shown > 0.0 && worker > 0.0, "the page measured nothing");
    Ok(Load { first, shown: 1000.0 * tokens / shown, worker: 1000.0 * tokens / worker })
}

fn number(page: &Page<'_>, expression: &str) -> anyhow::Result<f64> {
    page.browser.eval(expression)?.as_f64().with_context(|| format!("{expression} is no number"))
}
