//! The page in a browser, and what tests do on it again and again.

use crate::driver::{Browser, Driver};
use crate::server::Site;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A browser with the page served to it; it is opened by [`Page::open`].
pub struct Page<'d> {
    pub browser: Browser<'d>,
    pub site: Site,
    /// The folder that is served.
    pub folder: PathBuf,
    /// A folder for files of this test.
    pub scratch: PathBuf,
}

impl<'d> Page<'d> {
    pub fn new(driver: &'d Driver, folder: &Path, scratch: &Path) -> anyhow::Result<Page<'d>> {
        let downloads = scratch.join("downloads");
        std::fs::create_dir_all(&downloads)?;
        let browser = driver.browser(&scratch.join("profile"), &downloads)?;
        Ok(Page { browser, site: Site::new(folder)?, folder: folder.into(), scratch: scratch.into() })
    }

    /// Opens the page, with a part of its address behind the origin, and waits until a story can be told.
    pub fn open(&self, path: &str) -> anyhow::Result<()> {
        self.browser.open("about:blank")?;
        self.browser.open(&format!("{}/{path}", self.site.origin))?;
        self.ready()
    }

    pub fn ready(&self) -> anyhow::Result<()> {
        self.browser.wait("document.documentElement.dataset.ready")
    }

    /// Sets a field as a visitor who is done with it.
    pub fn set(&self, id: &str, value: &str) -> anyhow::Result<()> {
        let set = format!(
            "(() => {{ const field = document.getElementById({id:?}); field.value = {value:?};\
             for (const what of ['input', 'change']) field.dispatchEvent(new Event(what, {{ bubbles: true }})); }})()"
        );
        self.browser.eval(&set).map(drop)
    }

    /// The settings of the seeded golden streams.
    pub fn golden_settings(&self, most: usize) -> anyhow::Result<()> {
        for (id, value) in
            [("seed", "42"), ("temperature", "0.8"), ("topK", "50"), ("topP", "0.9"), ("minP", "0"), ("penalty", "1.1")]
        {
            self.set(id, value)?;
        }
        self.set("most", &most.to_string())
    }

    /// Another model of the list, once it is loaded.
    pub fn model(&self, index: usize) -> anyhow::Result<()> {
        self.set("model", &index.to_string())?;
        self.browser.wait("document.getElementById('status').textContent.startsWith('Ready')")
    }

    /// Presses the button, and waits for the end of the story.
    pub fn tell(&self) -> anyhow::Result<()> {
        self.press("#go")?;
        self.finished()
    }

    /// Presses what begins or changes a story, whose end [`Page::finished`] waits for: not for that of the one before.
    pub fn press(&self, selector: &str) -> anyhow::Result<()> {
        self.browser.eval("document.getElementById('status').textContent = ''")?;
        self.browser.click(selector)
    }

    /// Settings by which a text does not end by itself: of 4,096 tokens, each about as likely, one ends it.
    pub fn endless(&self) -> anyhow::Result<()> {
        self.model(1)?;
        self.golden_settings(100_000)?;
        for (id, value) in [("temperature", "10"), ("topK", "0"), ("topP", "1"), ("penalty", "1")] {
            self.set(id, value)?;
        }
        Ok(())
    }

    /// Waits for a story that is being told.
    pub fn finished(&self) -> anyhow::Result<()> {
        self.browser.wait("!document.getElementById('go').hidden && !document.getElementById('go').disabled && /^(Finished|Stopped)/.test(document.getElementById('status').textContent)")
    }

    pub fn status(&self) -> anyhow::Result<String> {
        self.browser.text("document.getElementById('status').textContent")
    }

    /// The text of the story, its beginning included.
    pub fn story(&self) -> anyhow::Result<String> {
        self.browser.text("document.getElementById('story').textContent")
    }

    /// The sentence of what went wrong, or of a link; empty if there is none.
    pub fn notice(&self) -> anyhow::Result<String> {
        self.browser
            .text("document.getElementById('notice').hidden ? '' : document.getElementById('notice').textContent")
    }

    /// Waits for such a sentence, which must have this in it.
    pub fn says(&self, what: &str) -> anyhow::Result<()> {
        self.browser.wait("!document.getElementById('notice').hidden")?;
        let notice = self.notice()?;
        ensure!(notice.contains(what), "the page says {notice:?}, and not {what:?}");
        Ok(())
    }

    /// The checksum that the status line ends with.
    pub fn checksum(&self) -> anyhow::Result<String> {
        let status = self.status()?;
        let checksum = status.rsplit_once("Checksum ").context(status.clone())?.1;
        Ok(checksum.trim_end_matches('.').to_string())
    }

    /// Whether a story can still be told after what went wrong.
    pub fn goes_on(&self) -> anyhow::Result<()> {
        self.golden_settings(40)?;
        self.set("prompt", "Once upon a time")?;
        self.tell()?;
        let (story, golden) = (self.story()?, Golden::new("stories-byte")?);
        ensure!(golden.text().starts_with(&story) && story.len() > 40, "the page no longer tells the story: {story:?}");
        Ok(())
    }

    /// Opens files as a visitor does.
    pub fn give(&self, files: &[&Path]) -> anyhow::Result<()> {
        let paths: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        self.browser.keys("#file", &paths.join("\n"))
    }

    /// The file of this name that the page saves, once it is whole.
    pub fn download(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let (path, since) = (self.scratch.join("downloads").join(name), Instant::now());
        while !path.exists() {
            ensure!(since.elapsed() < crate::driver::PATIENCE, "{name} was not saved");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(std::fs::read(path)?)
    }
}

/// A golden stream.
pub struct Golden {
    pub prompt: Vec<u32>,
    pub tokens: Vec<u32>,
    digests: Vec<u64>,
    model: bitstate::Model,
}

impl Golden {
    pub fn new(model: &str) -> anyhow::Result<Golden> {
        let golden = crate::root().join("golden");
        let stream = std::fs::read(golden.join(format!("streams/{model}__once-seeded.json")))?;
        let stream: Value = serde_json::from_slice(&stream)?;
        let numbers = |key: &str| -> Option<Vec<u32>> {
            stream[key].as_array()?.iter().map(|token| Some(token.as_u64()? as u32)).collect()
        };
        let digests = stream["digests"].as_array().context("digests")?.iter();
        Ok(Golden {
            prompt: numbers("prompt").context("a prompt")?,
            tokens: numbers("tokens").context("tokens")?,
            digests: digests.filter_map(|digest| u64::from_str_radix(digest.as_str()?, 16).ok()).collect(),
            model: bitstate::Model::open(golden.join(format!("models/{model}/model.bits")))?,
        })
    }

    /// The text of prompt and tokens.
    pub fn text(&self) -> String {
        let tokenizer = self.model.tokenizer().expect("both have one");
        tokenizer.decode(&[self.prompt.clone(), self.tokens.clone()].concat())
    }

    /// The checksum that the page must show: the chain that `crates/web` documents, over the golden digests.
    pub fn checksum(&self) -> String {
        let link = |before: u64, token: u32, digest: u64| {
            let bytes = [&before.to_le_bytes()[..], &digest.to_le_bytes(), &token.to_le_bytes()].concat();
            bitstate::Digest::of(&bytes).0
        };
        let begun = self.prompt.iter().fold(0, |before, &token| link(before, token, 0));
        let pairs = self.tokens.iter().zip(&self.digests);
        format!("{:016x}", pairs.fold(begun, |before, (&token, &digest)| link(before, token, digest)))
    }
}
