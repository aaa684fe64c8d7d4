//! What goes wrong for a visitor: a sentence on the page, and it goes on working.

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
    ("settings out of range are a sentence", settings),
    ("a worker that died is replaced", worker),
    ("a browser without storage is enough", storage),
    ("a reload works offline", offline),
    ("a new version takes the place of the old one", version),
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
        (vec![file("notes.txt", b"These are notes.")?], "is not a model: a BITS file begins with"),
        (vec![file("empty.bits", b"")?], "is not a model"),
        (vec![file("cut.bits", &whole[..whole.len() / 2])?], "is not a model file this program reads"),
        (vec![file("damaged.bits", &damaged)?], "is not a model file this program reads"),
        (vec![bpe], "give the tokenizer.json that it was trained with as well"),
        (vec![byte.clone(), json.clone()], "it was not trained with this tokenizer"),
        (vec![json], "A tokenizer is opened together with its model"),
    ];
    for (files, sentence) in cases {
        page.give(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
        page.says(sentence)?;
        page.goes_on()?;
    }
    let session = file("broken.session", b"{\"bitstate_session\":1,\"model\":\"x\"}\n 12345678")?;
    page.give(&[&session])?;
    page.says("the session file is damaged")?;
    page.goes_on()?;
    Ok(Passed)
}

fn huge(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    let path = page.scratch.join("huge.bits");
    // A file with a hole: it takes no room on the disk.
    File::create(&path)?.set_len(6 << 30)?;
    page.give(&[&path])?;
    page.says("huge.bits has 6,144 MB, and a page holds models up to 1,024 MB")?;
    page.goes_on()?;
    Ok(Passed)
}

fn opened(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    let models = root().join("golden/models/stories-bpe4k");
    page.give(&[&models.join("model.bits"), &models.join("tokenizer.json")])?;
    page.browser.wait("document.getElementById('status').textContent.startsWith('Ready: model.bits')")?;
    let golden = crate::page::Golden::new("stories-bpe4k")?;
    page.golden_settings(golden.tokens.len())?;
    page.tell()?;
    ensure!(page.checksum()? == golden.checksum());
    page.model(0)?;
    page.goes_on()?;
    Ok(Passed)
}

fn settings(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.open("")?;
    for (id, value, sentence) in [
        ("temperature", "-1", "The temperature is a number from 0 to 10."),
        ("topP", "", "Top-p is a number from 0.01 to 1."),
        ("seed", "18446744073709551616", "The seed is a whole number from 0 to 18446744073709551615."),
        ("most", "0", "The number of tokens is a number from 1 to 100000."),
    ] {
        page.golden_settings(20)?;
        page.set(id, value)?;
        page.browser.click("#go")?;
        page.says(sentence)?;
    }
    page.goes_on()?;
    // Greedy, and no beginning at all: the model's own.
    page.set("temperature", "0")?;
    page.set("prompt", "")?;
    page.tell()?;
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
    // It no longer answers: only stop, the last resort, finds that out.
    page.browser.eval("workers.at(-1).terminate()")?;
    page.browser.click("#stop")?;
    page.says("the engine did not answer within 1 s, and was started again")?;
    page.browser.wait("workers.length === 2 && !document.getElementById('go').disabled")?;
    page.model(0)?;
    page.goes_on()?;
    // It fails by itself.
    page.browser
        .eval("workers.at(-1).dispatchEvent(new ErrorEvent('error', { message: 'planted', cancelable: true }))")?;
    page.browser.wait("workers.length === 3 && !document.getElementById('go').disabled")?;
    page.goes_on()?;
    Ok(Passed)
}

fn storage(page: &Page<'_>) -> anyhow::Result<Verdict> {
    page.browser.before_pages(
        "navigator.serviceWorker.register = () => Promise.reject(new DOMException('refused', 'SecurityError'));\
         for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches'])\
         Object.defineProperty(window, name, { get() { throw new DOMException('refused', 'SecurityError'); } });",
    )?;
    page.open("")?;
    page.browser.wait("document.getElementById('offline').textContent.includes('No copy could be kept')")?;
    page.goes_on()?;
    Ok(Passed)
}

/// Waits for the copy that the page keeps.
fn kept(page: &Page<'_>) -> anyhow::Result<()> {
    page.browser.wait("document.getElementById('offline').textContent.startsWith('Kept on this device')")
}

fn offline(page: &Page<'_>) -> anyhow::Result<Verdict> {
    // A server of its own, which goes away.
    let site = Site::new(&page.folder)?;
    page.browser.open(&site.origin)?;
    page.ready()?;
    kept(page)?;
    drop(site);
    page.browser.reload()?;
    page.ready()?;
    page.goes_on()?;
    // What was not kept is a sentence.
    page.set("model", "1")?;
    page.says("cannot be fetched")?;
    page.goes_on()?;
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
    // Another version: its worker's text differs, as that of every build does.
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
    page.goes_on()?;
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
