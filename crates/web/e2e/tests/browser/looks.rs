//! How the page looks and reads: window sizes, light and dark themes, and accessibility.

use crate::Verdict::{self, Passed, Skipped};
use crate::page::Page;
use crate::{Test, network, target};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

pub const TESTS: &[Test] = &[
    ("it fits a phone", phone),
    ("screenshots in light and dark", pictures),
    ("screen readers hear only status messages", read_out),
    ("axe finds no violation of A or AA", axe),
];

fn window(page: &Page<'_>, width: u32, height: u32, mobile: bool) -> anyhow::Result<()> {
    let metrics =
        json!({ "width": width, "height": height, "deviceScaleFactor": if mobile { 2 } else { 1 }, "mobile": mobile });
    page.browser.devtools("Emulation.setDeviceMetricsOverride", metrics).map(drop)
}

fn theme(page: &Page<'_>, name: &str) -> anyhow::Result<()> {
    let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": name }] });
    page.browser.devtools("Emulation.setEmulatedMedia", features).map(drop)
}

fn phone(page: &Page<'_>) -> anyhow::Result<Verdict> {
    for width in [320, 390] {
        window(page, width, 844, true)?;
        page.open("")?;
        page.still_works()?;
        let across = page.browser.eval("document.documentElement.scrollWidth")?;
        ensure!(across.as_u64() <= Some(width.into()), "the page is {across} wide in a window of {width}");
        let small = "[...document.querySelectorAll('button, select')].filter((e) => e.getClientRects().length && e.getBoundingClientRect().height < 32).map((e) => e.id).join()";
        ensure!(page.browser.text(small)?.is_empty(), "too small for a finger: {}", page.browser.text(small)?);
    }
    page.browser.screenshot(&target().join("phone.png"))?;
    Ok(Passed)
}

fn pictures(page: &Page<'_>) -> anyhow::Result<Verdict> {
    window(page, 1280, 1000, false)?;
    for name in ["light", "dark"] {
        theme(page, name)?;
        page.open("")?;
        page.model(1)?;
        page.set("seed", "6")?;
        page.set("most", "160")?;
        page.generate()?;
        page.browser.wait("document.getElementById('picture').width > 100")?;
        page.browser.screenshot(&target().join(format!("{name}.png")))?;
        for _ in 0..14 {
            page.browser.keys("#story", "\u{e014}")?;
        }
        page.browser.keys("#story", "\u{e007}")?;
        page.browser.wait("document.querySelectorAll('#choices button').length > 2")?;
        page.browser.screenshot(&target().join(format!("{name}-words.png")))?;
        // The screenshot in the README, to be copied there when the page changes.
        page.browser.screenshot(&target().join(format!("{name}-words.jpg")))?;
    }
    Ok(Passed)
}

fn read_out(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    let attributes = page.browser.text(
        "(() => { const story = document.getElementById('story'), status = document.getElementById('status');\
         return [story.role, story.ariaLive, story.ariaLabel, status.role].join(); })()",
    )?;
    ensure!(attributes == "log,off,The story,status", "{attributes}");
    // The status line changes at the start and at the end, not with every token.
    page.browser.eval(
        "(() => { window.said = []; new MutationObserver(() => said.push(document.getElementById('status').textContent))\
         .observe(document.getElementById('status'), { childList: true, characterData: true, subtree: true }); })()",
    )?;
    page.golden_settings(300)?;
    page.browser.click("#go")?;
    page.finished()?;
    let said = page.browser.eval("said")?;
    let said: Vec<&str> = said.as_array().context("sentences")?.iter().filter_map(Value::as_str).collect();
    ensure!(said.len() == 2 && said[0] == "Writing" && said[1].starts_with("Finished, 300 tokens"), "{said:?}");
    Ok(Passed)
}

fn axe(page: &Page<'_>) -> anyhow::Result<Verdict> {
    let script = match network::package("axe-core@4.14.1") {
        Ok(folder) => std::fs::read_to_string(folder.join("axe.min.js"))?,
        Err(reason) => return Ok(Skipped(reason)),
    };
    for name in ["light", "dark"] {
        theme(page, name)?;
        page.open("")?;
        page.still_works()?;
        page.browser.click("#share")?;
        // Evaluated through DevTools, because the page's policy blocks scripts from elsewhere.
        page.browser.devtools("Runtime.evaluate", json!({ "expression": script }))?;
        let run = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })\
                   .then(({ violations, passes }) => ({ passes: passes.length,\
                   violations: violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join()) }))";
        let found = page.browser.eval(run)?;
        ensure!(found["violations"] == json!([]), "{name}: {}", found["violations"]);
        ensure!(found["passes"].as_u64() > Some(10), "axe checked nothing: {found}");
    }
    Ok(Passed)
}
