//! The page in a browser, and the steps that tests share.

use crate::driver::{Browser, Driver};
use crate::server::Site;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A browser and a server for the page; [`Page::open`] opens it.
pub struct Page<'d> {
    pub browser: Browser<'d>,
    pub site: Site,
    /// The folder that is served.
    pub folder: PathBuf,
    /// A folder for this test's files.
    pub scratch: PathBuf,
}

impl<'d> Page<'d> {
    pub fn new(driver: &'d Driver, folder: &Path, scratch: &Path) -> anyhow::Result<Page<'d>> {
        let downloads = scratch.join("downloads");
        std::fs::create_dir_all(&downloads)?;
        let browser = driver.browser(&scratch.join("profile"), &downloads)?;
        Ok(Page { browser, site: Site::new(folder)?, folder: folder.into(), scratch: scratch.into() })
    }

    /// Opens the page at `path` and waits until it can generate a story.
    pub fn open(&self, path: &str) -> anyhow::Result<()> {
        self.browser.open("about:blank")?;
        self.browser.open(&format!("{}/{path}", self.site.origin))?;
        self.ready()
    }

    pub fn ready(&self) -> anyhow::Result<()> {
        self.browser.wait("document.documentElement.dataset.ready")
    }

    /// Sets a field as a visitor does, with its `input` and `change` events.
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

    /// Switches to another model of the list and waits until it is loaded.
    pub fn model(&self, index: usize) -> anyhow::Result<()> {
        self.set("model", &index.to_string())?;
        self.browser.wait("document.getElementById('status').textContent.startsWith('Ready')")
    }

    /// Presses the button and waits for the end of the story.
    pub fn generate(&self) -> anyhow::Result<()> {
        self.press("#go")?;
        self.finished()
    }

    /// Presses a button that starts or changes a story. Clears the status first, so that [`Page::finished`] waits for this story.
    pub fn press(&self, selector: &str) -> anyhow::Result<()> {
        self.browser.eval("document.getElementById('status').textContent = ''")?;
        self.browser.click(selector)
    }

    /// Settings with which a text practically never ends: one of 4,096 almost equally likely tokens ends it.
    pub fn endless(&self) -> anyhow::Result<()> {
        self.model(1)?;
        self.any_token(100_000)
    }

    /// Settings with which all tokens are almost equally likely.
    pub fn any_token(&self, most: usize) -> anyhow::Result<()> {
        self.golden_settings(most)?;
        for (id, value) in [("temperature", "10"), ("topK", "0"), ("topP", "1"), ("penalty", "1")] {
            self.set(id, value)?;
        }
        Ok(())
    }

    /// The link to the story, without the page's address.
    pub fn link(&self) -> anyhow::Result<String> {
        self.browser.click("#share")?;
        self.browser.wait("document.getElementById('address').value")?;
        self.browser.text("document.getElementById('address').value.split('#')[1]")
    }

    /// Waits for the story that is being generated.
    pub fn finished(&self) -> anyhow::Result<()> {
        self.browser.wait("!document.getElementById('go').hidden && !document.getElementById('go').disabled && /^(Finished|Stopped)/.test(document.getElementById('status').textContent)")
    }

    pub fn status(&self) -> anyhow::Result<String> {
        self.browser.text("document.getElementById('status').textContent")
    }

    /// The text of the story, including the prompt.
    pub fn story(&self) -> anyhow::Result<String> {
        self.browser.text("document.getElementById('story').textContent")
    }

    /// The error message, or the verdict on a link; empty if there is none.
    pub fn notice(&self) -> anyhow::Result<String> {
        self.browser
            .text("document.getElementById('notice').hidden ? '' : document.getElementById('notice').textContent")
    }

    /// Waits for a notice, which must contain `what`.
    pub fn says(&self, what: &str) -> anyhow::Result<()> {
        self.browser.wait("!document.getElementById('notice').hidden")?;
        let notice = self.notice()?;
        ensure!(notice.contains(what), "the page shows {notice:?}, not {what:?}");
        Ok(())
    }

    /// The checksum that the status line ends with.
    pub fn checksum(&self) -> anyhow::Result<String> {
        let status = self.status()?;
        let checksum = status.rsplit_once("Checksum ").context(status.clone())?.1;
        Ok(checksum.trim_end_matches('.').to_string())
    }

    /// Checks that the page can still generate a story after a failure.
    pub fn still_works(&self) -> anyhow::Result<()> {
        self.golden_settings(40)?;
        self.set("prompt", "Once upon a time")?;
        self.generate()?;
        let (story, golden) = (self.story()?, Golden::new("stories-byte")?);
        ensure!(
            golden.text().starts_with(&story) && story.len() > 40,
            "the page no longer generates the story: {story:?}"
        );
        Ok(())
    }

    /// Opens files as a visitor does.
    pub fn give(&self, files: &[&Path]) -> anyhow::Result<()> {
        let paths: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        self.browser.keys("#file", &paths.join("\n"))
    }

    /// Waits for a file that the page saves and returns its bytes.
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

    /// The text of the prompt and the tokens.
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
