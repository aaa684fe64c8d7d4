//! What can go wrong for a visitor: the page shows a message and keeps working.

use crate::Verdict::{self, Passed};
use crate::page::Page;
use crate::server::Site;
use crate::{Test, root};
use anyhow::ensure;
use std::fs::File;
use std::path::{Path, PathBuf};

pub const TESTS: &[Test] = &[
    ("a broken file is refused", broken),
    ("a huge file is refused unread", huge),
    ("a model with its tokenizer is opened", opened),
    ("settings out of range give a message", settings),
    ("a worker that died is replaced", worker),
    ("works without browser storage", storage),
    ("a reload works offline", offline),
    ("a new version replaces the old one", version),
];

fn broken(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    let models = root().join("golden/models");
    let (byte, bpe) = (models.join("stories-byte/model.bits"), models.join("stories-bpe4k/model.bits"));
    let json = models.join("stories-bpe4k/tokenizer.json");
    let file = |name: &str, bytes: &[u8]| -> anyhow::Result<_> {
        let path = page.scratch.join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    };
    let whole = std::fs::read(&byte)?;
    let mut damaged = whole.clone();
    damaged[8] = 255;
    let cases: [(Vec<PathBuf>, &str); 7] = [
        (vec![file("notes.txt", b"These are notes.")?], "is not a model file: a BITS file begins with"),
        (vec![file("empty.bits", b"")?], "is not a model file"),
        (vec![file("cut.bits", &whole[..whole.len() / 2])?], "is not a model file this program reads"),
        (vec![file("damaged.bits", &damaged)?], "is not a model file this program reads"),
        (vec![bpe], "also provide the tokenizer.json that it was trained with"),
        (vec![byte.clone(), json.clone()], "it was not trained with this tokenizer"),
        (vec![json], "A tokenizer must be opened together with its model"),
    ];
    for (files, sentence) in cases {
        page.give(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
        page.says(sentence)?;
        page.still_works()?;
    }
    let session = file("broken.session", b"{\"bitstate_session\":1,\"model\":\"x\"}\n 12345678")?;
    page.give(&[&session])?;
    page.says("the session file is damaged")?;
    page.still_works()?;
    Ok(Passed)
}

fn huge(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    let path = page.scratch.join("huge.bits");
    // A sparse file: it takes no disk space.
    File::create(&path)?.set_len(6 << 30)?;
    page.give(&[&path])?;
    page.says("huge.bits has 6,144 MB; the page supports models of up to 1,024 MB")?;
    page.still_works()?;
    Ok(Passed)
}

fn opened(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    let models = root().join("golden/models/stories-bpe4k");
    page.give(&[&models.join("model.bits"), &models.join("tokenizer.json")])?;
    page.browser.wait("document.getElementById('status').textContent.startsWith('Ready: model.bits')")?;
    let golden = crate::page::Golden::new("stories-bpe4k")?;
    page.golden_settings(golden.tokens.len())?;
    page.generate()?;
    ensure!(page.checksum()? == golden.checksum());
    page.model(0)?;
    page.still_works()?;
    Ok(Passed)
}

fn settings(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    for (id, value, sentence) in [
        ("temperature", "-1", "The temperature must be a number from 0 to 10."),
        ("topP", "", "Top-p must be a number from 0.01 to 1."),
        ("seed", "18446744073709551616", "The seed must be a whole number from 0 to 18446744073709551615."),
        ("most", "0", "The number of tokens must be a number from 1 to 100000."),
    ] {
        page.golden_settings(20)?;
        page.set(id, value)?;
        page.browser.click("#go")?;
        page.says(sentence)?;
    }
    page.still_works()?;
    // Greedy with an empty prompt: the model starts by itself.
    page.set("temperature", "0")?;
    page.set("prompt", "")?;
    page.generate()?;
    ensure!(!page.story()?.is_empty() && page.notice()?.is_empty(), "{}", page.notice()?);
    Ok(Passed)
}

fn worker(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.browser.before_pages(
        "window.workers = []; window.Worker = class extends Worker { constructor(...a) { super(...a); workers.push(this); } };",
    )?;
    page.open("")?;
    page.endless()?;
    page.press("#go")?;
    page.browser.wait("document.getElementById('story').textContent.length > 100")?;
    // The worker no longer answers; stop, the last resort, detects it.
    page.browser.eval("workers.at(-1).terminate()")?;
    page.browser.click("#stop")?;
    page.says("the engine did not answer within 1 s and was restarted")?;
    page.browser.wait("workers.length === 2 && !document.getElementById('go').disabled")?;
    page.model(0)?;
    page.still_works()?;
    // The worker fails by itself.
    page.browser
        .eval("workers.at(-1).dispatchEvent(new ErrorEvent('error', { message: 'planted', cancelable: true }))")?;
    page.browser.wait("workers.length === 3 && !document.getElementById('go').disabled")?;
    page.still_works()?;
    Ok(Passed)
}

fn storage(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.browser.before_pages(
        "navigator.serviceWorker.register = () => Promise.reject(new DOMException('refused', 'SecurityError'));\
         for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches'])\
         Object.defineProperty(window, name, { get() { throw new DOMException('refused', 'SecurityError'); } });",
    )?;
    page.open("")?;
    page.browser.wait("document.getElementById('offline').textContent.includes('No copy could be saved')")?;
    page.still_works()?;
    Ok(Passed)
}

/// Waits until the page is cached for offline use.
fn kept(page: &Page<'_>) -> anyhow::Result<()> {
    page.browser.wait("document.getElementById('offline').textContent.startsWith('Saved on this device')")
}

fn offline(page: &Page<'_>) -> anyhow::Result<Verdict> {
    // A separate server, which is shut down.
    let site = Site::new(&page.folder)?;
    page.browser.open(&site.origin)?;
    page.ready()?;
    kept(page)?;
    drop(site);
    page.browser.reload()?;
    page.ready()?;
    page.still_works()?;
    // A file that was not cached gives a message.
    page.set("model", "1")?;
    page.says("cannot be fetched")?;
    page.still_works()?;
    Ok(Passed)
}

fn version(page: &Page<'_>) -> anyhow::Result<Verdict> {
    let folder = page.scratch.join("site");
    copy(&page.folder, &folder)?;
    let site = Site::new(&folder)?;
    page.browser.open(&site.origin)?;
    page.ready()?;
    kept(page)?;
    let names = "caches.keys().then((names) => names.join())";
    let old = page.browser.text(names)?;
    // Another version: the text of its service worker differs, as with every build.
    let script = std::fs::read_to_string(folder.join("sw.js"))?;
    let version = old.trim_start_matches("bitstate-");
    ensure!(script.contains(version), "{old} is not the version of the page");
    std::fs::write(folder.join("sw.js"), script.replace(version, "0000000000000001"))?;
    page.browser.reload()?;
    page.ready()?;
    page.browser.wait("document.getElementById('offline').textContent.includes('A new version')")?;
    page.browser.eval("(window.before = true)")?;
    page.browser.click("#offline button")?;
    page.browser.wait("!window.before && document.documentElement.dataset.ready")?;
    page.browser.wait(&format!("await {names}.then((names) => names === 'bitstate-0000000000000001')"))?;
    page.still_works()?;
    Ok(Passed)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (path, name) = (entry.as_ref().map(|entry| entry.path()), entry.as_ref().map(std::fs::DirEntry::file_name));
        let (Ok(path), Ok(name)) = (path, name) else { continue };
        if path.is_dir() { copy(&path, &to.join(name))? } else { std::fs::copy(&path, to.join(name)).map(drop)? }
    }
    Ok(())
}
