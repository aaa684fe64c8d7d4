//! A client of chromedriver: the part of the WebDriver protocol (JSON over HTTP) that the tests need.

use anyhow::{Context, bail, ensure};
use base64::Engine;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Timeout for any step of a page. Not a performance limit: only steps that would never end reach it.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Key of an element's id in the WebDriver standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// chromedriver, terminated at the end of the test.
pub struct Driver {
    child: Child,
    address: String,
    agent: ureq::Agent,
}

impl Driver {
    pub fn start() -> anyhow::Result<Driver> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot start chromedriver")?;
        let said = BufReader::new(child.stdout.take().context("its output")?);
        let mut lines = said.lines();
        let port = loop {
            let line = lines.next().context("chromedriver ended")??;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').parse::<u16>().context("its port")?;
            }
        };
        // Drain its output, so that it never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE * 2));
        Ok(Driver { child, address: format!("http://127.0.0.1:{port}"), agent: config.build().into() })
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.address);
        let mut answer = match method {
            "GET" => self.agent.get(&url).call(),
            "DELETE" => self.agent.delete(&url).call(),
            _ => self.agent.post(&url).header("Content-Type", "application/json").send(body.to_string()),
        }
        .with_context(|| format!("chromedriver does not answer {method} {path}"))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(256 << 20).read_to_string()?;
        let mut value: Value = serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))?;
        ensure!(status.is_success(), "{path}: {}", value["value"]["message"]);
        Ok(value["value"].take())
    }

    /// A browser with its own profile, which saves downloads to `downloads`.
    pub fn browser(&self, profile: &Path, downloads: &Path) -> anyhow::Result<Browser<'_>> {
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1280,1000",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": "/usr/bin/chromium",
                "args": args,
                "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
                "perfLoggingPrefs": { "enableNetwork": true },
            },
            "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
            "timeouts": { "script": PATIENCE.as_millis() as u64, "pageLoad": PATIENCE.as_millis() as u64 },
        } } });
        let session = self.call("POST", "/session", &capabilities)?;
        let id = session["sessionId"].as_str().context("a session")?;
        Ok(Browser { driver: self, path: format!("/session/{id}") })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser, closed at the end of the test.
pub struct Browser<'d> {
    driver: &'d Driver,
    path: String,
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let _ = self.driver.call("DELETE", &self.path, &Value::Null);
    }
}

impl Browser<'_> {
    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.driver.call("POST", &format!("{}{path}", self.path), body)
    }

    pub fn open(&self, url: &str) -> anyhow::Result<()> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    pub fn reload(&self) -> anyhow::Result<()> {
        self.post("/refresh", &json!({})).map(drop)
    }

    /// The value of an expression in the page, awaited if it is a promise.
    pub fn eval(&self, expression: &str) -> anyhow::Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1];\
             (async () => ({expression}))().then((value) => done([value]), (error) => done(String(error)));"
        );
        match self.post("/execute/async", &json!({ "script": script, "args": [] }))? {
            Value::Array(mut value) => Ok(value.pop().unwrap_or(Value::Null)),
            error => bail!("{expression}: {error}"),
        }
    }

    pub fn text(&self, expression: &str) -> anyhow::Result<String> {
        let value = self.eval(expression)?;
        Ok(value.as_str().with_context(|| format!("{expression} is {value}, not a string"))?.to_string())
    }

    pub fn is(&self, expression: &str) -> anyhow::Result<bool> {
        Ok(self.eval(&format!("Boolean({expression})"))? == Value::Bool(true))
    }

    /// Waits until an expression is true.
    pub fn wait(&self, expression: &str) -> anyhow::Result<()> {
        let since = Instant::now();
        while !self.is(expression)? {
            if since.elapsed() > PATIENCE {
                let seen = self.text("document.body.innerText.slice(0, 1500)").unwrap_or_default();
                bail!("timed out waiting for {expression}; the page shows: {seen}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn element(&self, selector: &str) -> anyhow::Result<String> {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }))?;
        Ok(found[ELEMENT].as_str().with_context(|| format!("no {selector}"))?.to_string())
    }

    /// A visitor's click: the element must be visible and not covered.
    pub fn click(&self, selector: &str) -> anyhow::Result<()> {
        let id = self.element(selector)?;
        self.post(&format!("/element/{id}/click"), &json!({})).map(drop)
    }

    /// Types into a field, or gives a file to it.
    pub fn keys(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        let id = self.element(selector)?;
        self.post(&format!("/element/{id}/value"), &json!({ "text": text })).map(drop)
    }

    /// A mouse click at a point of the window.
    pub fn click_at(&self, x: f64, y: f64) -> anyhow::Result<()> {
        let actions = json!({ "actions": [{ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": [
            { "type": "pointerMove", "duration": 0, "x": x as i64, "y": y as i64 },
            { "type": "pointerDown", "button": 0 },
            { "type": "pointerUp", "button": 0 },
        ] }] });
        self.post("/actions", &actions).map(drop)
    }

    /// A DevTools command.
    pub fn devtools(&self, command: &str, parameters: Value) -> anyhow::Result<Value> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Runs a script in every page that is opened from now on, before the page's own scripts.
    pub fn before_pages(&self, script: &str) -> anyhow::Result<String> {
        let added = self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }))?;
        Ok(added["identifier"].as_str().context("an identifier")?.to_string())
    }

    pub fn no_longer_before_pages(&self, identifier: &str) -> anyhow::Result<()> {
        self.devtools("Page.removeScriptToEvaluateOnNewDocument", json!({ "identifier": identifier })).map(drop)
    }

    /// A screenshot of the whole page, as PNG or JPEG depending on the extension.
    pub fn screenshot(&self, path: &Path) -> anyhow::Result<()> {
        let is_jpeg = path.extension().is_some_and(|ending| ending == "jpg");
        let mut how = json!({ "captureBeyondViewport": true });
        if is_jpeg {
            how["format"] = json!("jpeg");
            how["quality"] = json!(82);
        }
        let shot = self.devtools("Page.captureScreenshot", how)?;
        let bytes = base64::prelude::BASE64_STANDARD.decode(shot["data"].as_str().context("a screenshot")?)?;
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        Ok(std::fs::write(path, bytes)?)
    }

    /// The URLs of all requests since the last call.
    pub fn requests(&self) -> anyhow::Result<Vec<String>> {
        let log = self.post("/se/log", &json!({ "type": "performance" }))?;
        let entries = log.as_array().context("a log")?.iter();
        let messages = entries.filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let sent = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        Ok(sent.filter_map(|sent| Some(sent["message"]["params"]["request"]["url"].as_str()?.to_string())).collect())
    }

    /// The console messages since the last call.
    pub fn console(&self) -> anyhow::Result<Vec<String>> {
        let log = self.post("/se/log", &json!({ "type": "browser" }))?;
        Ok(log.as_array().context("a log")?.iter().map(|entry| entry["message"].to_string()).collect())
    }

    pub fn new_tab(&self) -> anyhow::Result<String> {
        let tab = self.post("/window/new", &json!({ "type": "tab" }))?;
        Ok(tab["handle"].as_str().context("a tab")?.to_string())
    }

    pub fn tab(&self) -> anyhow::Result<String> {
        let tab = self.driver.call("GET", &format!("{}/window", self.path), &Value::Null)?;
        Ok(tab.as_str().context("a tab")?.to_string())
    }

    pub fn to_tab(&self, handle: &str) -> anyhow::Result<()> {
        self.post("/window", &json!({ "handle": handle })).map(drop)
    }

    pub fn close_tab(&self) -> anyhow::Result<()> {
        self.driver.call("DELETE", &format!("{}/window", self.path), &Value::Null).map(drop)
    }
}
