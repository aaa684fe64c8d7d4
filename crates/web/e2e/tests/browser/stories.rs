//! What a visitor does: generate, stop, choose another word, go back, save, share, compare.

use crate::Verdict::{self, Passed};
use crate::page::{Golden, Page};
use crate::{Test, root};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::time::Instant;

pub const TESTS: &[Test] = &[
    ("the page loads and shows which build runs", loads),
    ("a fixed seed is the golden stream", golden),
    ("every build gives the golden stream", builds),
    ("stop works in the middle of a story", stop),
    ("another word is chosen and undone", words),
    ("the time line goes back", time_line),
    ("a session resumes in the library and back", sessions),
    ("a link reproduces the story", links),
    ("two lanes agree", lanes),
    ("the keyboard is enough", keyboard),
    ("two tabs at once", tabs),
];

fn loads(page: &Page<'_>) -> anyhow::Result<Verdict> {
    let start = Instant::now();
    page.open("")?;
    println!("    ready after {} ms, browser and driver included", start.elapsed().as_millis());
    let build = page.browser.text("document.getElementById('build').textContent")?;
    ensure!(build.contains("relaxed SIMD") && build.contains("best of 3 builds"), "{build}");
    ensure!(page.status()?.starts_with("Ready: stories-byte"), "{}", page.status()?);
    page.golden_settings(1)?;
    page.generate()?;
    println!(
        "    first token after {} ms of navigation",
        page.browser.eval("performance.now()")?.as_f64().unwrap_or(0.0) as u64
    );
    ensure!(page.notice()?.is_empty());
    let console = page.browser.console()?;
    ensure!(console.is_empty(), "the console has {console:?}");
    Ok(Passed)
}

fn golden(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    for (index, name) in ["stories-byte", "stories-bpe4k"].into_iter().enumerate() {
        let golden = Golden::new(name)?;
        page.model(index)?;
        page.golden_settings(golden.tokens.len())?;
        page.generate()?;
        ensure!(page.story()? == golden.text(), "{name}: {:?} is not {:?}", page.story()?, golden.text());
        ensure!(page.checksum()? == golden.checksum(), "{name}: the logits differ: {}", page.checksum()?);
    }
    let drawn = page.browser.is("document.getElementById('picture').width > 100")?;
    ensure!(drawn, "the state is not drawn");
    Ok(Passed)
}

fn builds(page: &Page<'_>) -> anyhow::Result<Verdict> {
    let golden = Golden::new("stories-byte")?;
    // How an older browser answers the probes: the module that asks for relaxed SIMD has 36 bytes, the one for SIMD 29.
    for (largest, build) in [(0, "plain"), (33, "simd128")] {
        let script = format!("WebAssembly.validate = (bytes) => bytes.length < {largest};");
        let added = page.browser.before_pages(&script)?;
        page.open("")?;
        page.golden_settings(golden.tokens.len())?;
        page.generate()?;
        page.browser.no_longer_before_pages(&added)?;
        let loaded = "performance.getEntriesByType('resource').map((entry) => entry.name).join()";
        let said = page.browser.text("document.getElementById('build').textContent")?;
        ensure!(said.contains(if build == "plain" { "plain WebAssembly" } else { "with SIMD" }), "{said}");
        ensure!(page.checksum()? == golden.checksum(), "{build} differs: {}", page.browser.text(loaded)?);
    }
    Ok(Passed)
}

fn stop(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.endless()?;
    for _ in 0..3 {
        page.press("#go")?;
        page.browser.wait("document.getElementById('story').textContent.length > 300")?;
        page.browser.click("#stop")?;
        page.finished()?;
        ensure!(page.status()?.starts_with("Stopped"), "{}", page.status()?);
        let (before, story) = (page.story()?, page.story()?);
        ensure!(before == story && story.len() < 400_000, "generation did not stop");
    }
    page.model(0)?;
    page.still_works()?;
    Ok(Passed)
}

/// Window coordinates of the character at offset `at` of the story.
fn middle_of(page: &Page<'_>, at: usize) -> anyhow::Result<(f64, f64)> {
    let place = format!(
        "(() => {{ let at = {at}; const walker = document.createTreeWalker(document.getElementById('story'), NodeFilter.SHOW_TEXT);\
         for (let node; (node = walker.nextNode()); at -= node.length) if (at < node.length) {{ const range = new Range();\
         range.setStart(node, at); range.setEnd(node, at + 1); const box = range.getBoundingClientRect();\
         return [box.left + box.width / 2, box.top + box.height / 2]; }} }})()"
    );
    let point = page.browser.eval(&place)?;
    let number = |i: usize| point[i].as_f64().with_context(|| format!("no character {at}"));
    Ok((number(0)?, number(1)?))
}

fn words(page: &Page<'_>) -> anyhow::Result<Verdict> {
    for index in [0, 1] {
        page.open("")?;
        page.model(index)?;
        page.golden_settings(40)?;
        page.generate()?;
        let told = page.story()?;
        // The second word after the prompt.
        let at = "Once upon a time, t".len();
        let (x, y) = middle_of(page, at)?;
        page.browser.click_at(x, y)?;
        page.browser.wait("document.querySelectorAll('#choices button').length >= 3")?;
        let current = page.browser.text("document.querySelector('#choices [aria-current] span')?.textContent ?? ''")?;
        ensure!(current == "there", "the generated word is in the list: {current:?}");
        let other = "#choices button:not([aria-current])";
        let word =
            page.browser.text(&format!("document.querySelector({other:?}).querySelector('span').textContent"))?;
        page.press(other)?;
        page.finished()?;
        let changed = page.story()?;
        ensure!(changed.starts_with(&format!("Once upon a time, {word}")) && changed != told, "{word:?}: {changed:?}");
        ensure!(page.browser.is("!document.getElementById('forks').hidden")?, "the previous version is kept");
        // The link reproduces this version, with the chosen word.
        let link = page.link()?;
        page.browser.click("#undo")?;
        page.browser.wait("document.getElementById('status').textContent.startsWith('Back')")?;
        ensure!(page.story()? == told, "undo restores the previous text");
        page.open(&format!("#{link}"))?;
        page.says("The same story: the checksums of all")?;
        ensure!(page.story()? == changed);
    }
    Ok(Passed)
}

fn time_line(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.golden_settings(300)?;
    page.generate()?;
    let told = page.story()?;
    // Back to the 200th byte; the same tokens follow, because the generator goes back too.
    page.set("time", "200")?;
    let place = page.browser.text("document.getElementById('where').textContent")?;
    ensure!(place.starts_with("token 200 of 316"), "{place}");
    page.set("most", "116")?;
    ensure!(page.browser.text("document.getElementById('more').textContent")? == "Continue from here");
    page.press("#more")?;
    page.finished()?;
    ensure!(page.story()? == told, "the checkpoint gives the same text");
    page.browser.click("#branches button")?;
    page.browser.wait("!document.getElementById('more').disabled")?;
    ensure!(page.story()? == told);
    Ok(Passed)
}

fn sessions(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.model(1)?;
    page.golden_settings(30)?;
    page.generate()?;
    let told = page.story()?;
    page.browser.click("#save")?;
    let file = page.download("story.session")?;
    let model = bitstate::Model::open(root().join("golden/models/stories-bpe4k/model.bits"))?;
    let mut native = model.resume(&file)?;
    ensure!(native.last_text().as_deref() == Some(&told), "the library continues with another text");
    let next: Vec<u32> = (0..20).map(|_| native.next_token()).collect::<Result<_, _>>()?;
    // In the page, after a reload, from a file that the library saved at the same position.
    let saved = page.scratch.join("native.session");
    model.resume(&file)?.save(&saved)?;
    page.open("")?;
    page.give(&[&saved])?;
    page.says("the session is of another model")?;
    page.model(1)?;
    page.give(&[&saved])?;
    page.browser.wait("document.getElementById('status').textContent.startsWith('Resumed')")?;
    ensure!(page.story()? == told);
    page.set("most", "20")?;
    page.press("#more")?;
    page.finished()?;
    let expected = told + &model.tokenizer().context("a tokenizer")?.decode(&next);
    ensure!(page.story()? == expected, "{:?} is not {expected:?}", page.story()?);
    Ok(Passed)
}

fn links(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.model(1)?;
    page.golden_settings(64)?;
    page.set("prompt", "One day, Zoë & Tom said: \"50 % more?\" #1")?;
    page.generate()?;
    let told = page.story()?;
    let link = page.link()?;
    page.open(&format!("#{link}"))?;
    page.says("The same story: the checksums of all 64 tokens agree.")?;
    ensure!(page.story()? == told);

    let at = link.rfind("c=").context("checks")? + 2 + 36;
    let other = if link.as_bytes()[at] == b'A' { "B" } else { "A" };
    page.open(&format!("#{}{other}{}", &link[..at], &link[at + 1..]))?;
    page.says("Not the same story: it differs at token 37.")?;
    page.open(&format!("#{}", link.replace("s=42", "s=43")))?;
    page.says("Not the same story: it differs at token ")?;
    let digit = if link.contains("m=0") { "m=1" } else { "m=0" };
    let begin = link.find("m=").context("a model")?;
    page.open(&format!("#{}{digit}{}", &link[..begin], &link[begin + 3..]))?;
    page.says("The link is for another model")?;
    page.open(&format!("#{}", link.replace("s=42", "s=-1")))?;
    page.says("The link is damaged: its seed cannot be read.")?;
    page.still_works()?;
    Ok(Passed)
}

fn lanes(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.browser.click("#race")?;
    page.browser.wait("/checksum|differ/.test(document.getElementById('race-text').textContent)")?;
    let said = page.browser.text("document.getElementById('race-text').textContent")?;
    ensure!(said.starts_with("The same text and the same checksum"), "{said}");
    println!("    {said}");
    let lane = |name: &str| page.browser.text(&format!("document.getElementById('lane-{name}').textContent"));
    ensure!(lane("plain")? == lane("best")? && lane("best")?.len() > 100);
    Ok(Passed)
}

fn keyboard(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    page.golden_settings(40)?;
    page.browser.keys("#prompt", "\u{e007}")?;
    page.finished()?;
    let focus = "document.activeElement.id";
    for _ in 0..6 {
        page.browser.keys("#story", "\u{e014}")?;
    }
    page.browser.keys("#story", "\u{e007}")?;
    page.browser.wait("document.getElementById('choices').contains(document.activeElement)")?;
    page.browser.keys("#choices button:focus", "\u{e015}")?;
    page.browser.wait("document.activeElement === document.querySelectorAll('#choices button')[1]")?;
    page.browser.keys("#choices button:focus", "\u{e00c}")?;
    page.browser.wait("!document.getElementById('choices').matches(':popover-open')")?;
    // Escape stops a story.
    page.endless()?;
    page.browser.keys("#prompt", "\u{e007}")?;
    page.browser.wait("document.getElementById('story').textContent.length > 200")?;
    page.browser.keys("body", "\u{e00c}")?;
    page.finished()?;
    ensure!(page.status()?.starts_with("Stopped"), "{} at {}", page.status()?, page.browser.text(focus)?);
    Ok(Passed)
}

fn tabs(page: &Page<'_>) -> anyhow::Result<Verdict> {
    let golden = Golden::new("stories-byte")?;
    page.open("")?;
    let first = page.browser.tab()?;
    page.golden_settings(20_000)?;
    page.press("#go")?;
    let second = page.browser.new_tab()?;
    page.browser.to_tab(&second)?;
    page.open("")?;
    page.golden_settings(golden.tokens.len())?;
    page.generate()?;
    ensure!(page.checksum()? == golden.checksum());
    page.browser.close_tab()?;
    page.browser.to_tab(&first)?;
    page.browser.eval("document.getElementById('stop').hidden || document.getElementById('stop').click()")?;
    page.finished()?;
    ensure!(page.story()?.starts_with(&golden.text()));
    let value: Value = page.browser.eval("document.getElementById('notice').hidden")?;
    ensure!(value == Value::Bool(true), "the first tab shows an error: {}", page.notice()?);
    Ok(Passed)
}
