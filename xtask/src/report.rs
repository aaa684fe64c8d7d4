//! `cargo xtask report`.

use crate::flags::ReportFlags;
use anyhow::bail;
use bitstate_harness::Exit;
use bitstate_harness::report::{self, markdown};
use bitstate_harness::workspace::{Workspace, read_text, write_atomic};
use std::path::PathBuf;

pub fn run(flags: &ReportFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    let folders = folders(&workspace, flags)?;
    let mut stale = Vec::new();
    for folder in &folders {
        if flags.check {
            stale.extend(report::outdated(folder)?.into_iter().map(|name| workspace.show(&folder.join(name))));
        } else {
            report::render(folder)?;
            println!("made {}", workspace.show(&folder.join("report.html")));
        }
    }
    if flags.readme || flags.check {
        let path = workspace.root.join("README.md");
        if let Some(newest) = report::newest(&workspace)? {
            let text = read_text(&path)?;
            let short = PathBuf::from(workspace.show(&newest));
            let current = markdown::readme(&text, &report::read(&newest)?, &short)?;
            if flags.check && current != text {
                stale.push(format!("README.md, whose newest report is {}", short.display()));
            } else if current != text {
                write_atomic(&path, current.as_bytes())?;
                println!("wrote the results of {} into README.md", short.display());
            }
        } else if flags.readme {
            bail!("reports/ has no run: `cargo xtask bench --publish NAME` makes one");
        }
    }
    for name in &stale {
        println!("not current: {name}");
    }
    if !stale.is_empty() {
        println!("`cargo xtask report --readme` makes them again");
        return Ok(Exit::Harness);
    }
    if flags.check {
        println!("{} published reports and README.md are current", folders.len());
    }
    Ok(Exit::Pass)
}

/// The folders that were named, or all published ones.
fn folders(workspace: &Workspace, flags: &ReportFlags) -> anyhow::Result<Vec<PathBuf>> {
    for folder in &flags.folders {
        if !folder.join("records.jsonl").is_file() {
            bail!("{} is not the folder of a run: it has no records.jsonl", folder.display());
        }
    }
    if !flags.folders.is_empty() {
        return Ok(flags.folders.clone());
    }
    let Ok(entries) = std::fs::read_dir(workspace.reports()) else { return Ok(Vec::new()) };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("records.jsonl").is_file());
    folders.sort();
    Ok(folders)
}
