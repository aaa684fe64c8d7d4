//! `cargo xtask report`.

use crate::context::print_results;
use anyhow::bail;
use bitstate_harness::Exit;
use bitstate_harness::records::{self, Row, merge};
use bitstate_harness::report::check::{self, Readme};
use bitstate_harness::report::history::Published;
use bitstate_harness::report::kept::Kept;
use bitstate_harness::report::{self, Holds};
use bitstate_harness::workspace::{Workspace, read_text, write_atomic};
use clap::Args;
use std::path::{Path, PathBuf};

/// Flags of `report`.
#[derive(Debug, Args, Default)]
#[command(after_help = "\
Examples:
  cargo xtask report                    regenerate every published report from its records
  cargo xtask report reports/2026-01-31-first-light
                                        all pages and charts of one, in target/bitstate/published/
  cargo xtask report --readme           also write the table of the newest full run into README.md
  cargo xtask report --site public      make a static site of all published runs
  cargo xtask report --check            check that everything matches the records
  cargo xtask report --merge native/ wasm.jsonl --out merged/
                                        merge runs of one commit from several machines into one report

Of a published run, the compressed records and report.md are kept; of the newest, and of the one in README.md, also
report.html and the charts as SVG. Without a folder this command removes the rest; --check lists it.

README.md shows the run of the newest commit, except quick runs, runs with local changes or failures, and runs that lack
a number which another eligible run has. --readme prints which runs are not shown, and why.

Exit codes:
  0  generated, or current
  2  --check found something that is not current, or a file cannot be read
  3  --merge was given runs that differ in commit, local changes, schema, golden streams, models or compilers, or two that
     measured the same cell and workload
  A failure or skip in any shard counts for the merged run.")]
pub struct ReportFlags {
    /// Folders of runs; by default all in reports/
    pub folders: Vec<PathBuf>,
    /// Merge these runs, given as folders or records files, into the folder of --out
    #[arg(long, value_name = "RUN", num_args = 1.., requires = "out", conflicts_with_all = ["folders", "readme", "check"])]
    pub merge: Vec<PathBuf>,
    /// Where --merge writes its records and report
    #[arg(long, value_name = "DIR", requires = "merge")]
    pub out: Option<PathBuf>,
    /// Write the table and charts of the newest full report into README.md
    #[arg(long)]
    pub readme: bool,
    /// Generate a static site of all published runs in this folder: an index of runs and machines, the history, every report
    #[arg(long, value_name = "DIR", conflicts_with_all = ["folders", "merge", "readme", "check"])]
    pub site: Option<PathBuf>,
    /// Change nothing; exit with 2 if something is not current
    #[arg(long)]
    pub check: bool,
}

pub fn run(flags: &ReportFlags) -> anyhow::Result<Exit> {
    let workspace = Workspace::find()?;
    if let Some(out) = &flags.out {
        return join(&workspace, &flags.merge, out);
    }
    if let Some(out) = &flags.site {
        let runs = report::site::write(&workspace, out, &Published::load(&workspace)?)?;
        println!("generated {}/index.html with {runs} runs", out.display());
        return Ok(Exit::Pass);
    }
    let folders = folders(&workspace, flags)?;
    let published = Published::load(&workspace)?;
    if flags.check {
        return print_stale(&check::stale(&workspace, &folders, &published)?, folders.len());
    }
    let kept = Kept::load(&workspace)?;
    for folder in &folders {
        match kept.of(folder) {
            holds if flags.folders.is_empty() || holds == Holds::Everything => {
                report::render(folder, &published, holds)?;
                println!("generated {}", workspace.show(&folder.join("report.md")));
            }
            // A published run keeps only some of its pages; naming it generates all of them elsewhere.
            _ => make_apart(&workspace, folder, &published)?,
        }
    }
    if flags.readme {
        write_readme(&workspace)?;
    }
    Ok(Exit::Pass)
}

/// Generates everything of a published run outside `reports/`.
fn make_apart(workspace: &Workspace, folder: &Path, published: &Published) -> anyhow::Result<()> {
    let apart = workspace.scratch().join("published").join(folder.canonicalize()?.file_name().unwrap_or_default());
    records::unpack(folder, &apart)?;
    report::render(&apart, published, Holds::Everything)?;
    println!("generated {}", workspace.show(&apart.join("report.html")));
    Ok(())
}

fn write_readme(workspace: &Workspace) -> anyhow::Result<()> {
    let Readme { text, shown } = check::readme(workspace)?;
    for (folder, why) in &shown.others {
        println!("README.md does not show {}: {why}", workspace.show(folder));
    }
    let (Some(text), Some(folder)) = (text, shown.folder) else {
        bail!("no published run may be shown in README.md: `cargo xtask bench --publish NAME` publishes one");
    };
    let path = workspace.root.join("README.md");
    if read_text(&path)? != text {
        write_atomic(&path, text.as_bytes())?;
        println!("wrote the results of {} into README.md", workspace.show(&folder));
    }
    Ok(())
}

/// Prints what is not current; an empty list is a pass.
fn print_stale(stale: &[String], folders: usize) -> anyhow::Result<Exit> {
    for name in stale {
        println!("not current: {name}");
    }
    if stale.is_empty() {
        println!("{folders} published reports and README.md are current");
        return Ok(Exit::Pass);
    }
    println!("`cargo xtask report --readme` regenerates them");
    Ok(Exit::Harness)
}

/// Merges shards into one run; a failure in any shard fails the merged run.
fn join(workspace: &Workspace, shards: &[PathBuf], out: &Path) -> anyhow::Result<Exit> {
    let records = out.join("records.jsonl");
    let same = |a: &Path, b: &Path| a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if let Some(shard) = shards.iter().find(|shard| same(&records::records_of(shard), &records)) {
        bail!("--out is {}, which is one of the runs to merge: name another folder", shard.display());
    }
    if records::read_parts(&records).is_ok_and(|parts| parts.iter().any(|part| part.provenance.shard.is_none())) {
        bail!("--out is {}, which has the report of a run: name another folder", workspace.show(out));
    }
    let parts = merge::merge(shards, &records)?;
    report::render(out, &Published::load(workspace)?, Holds::Everything)?;
    for part in &parts {
        let p = &part.provenance;
        let shard =
            p.shard.as_ref().map_or(String::new(), |shard| format!("{} of {}, {}", shard.index, shard.of, shard.name));
        println!("shard {shard}: {} rows, {}", part.rows.len(), p.machine());
    }
    let rows: Vec<Row> = parts.into_iter().flat_map(|part| part.rows).collect();
    let exit = print_results(&rows);
    println!("report: {}/report.html", workspace.show(out));
    Ok(exit)
}

/// The named folders, or all published ones.
fn folders(workspace: &Workspace, flags: &ReportFlags) -> anyhow::Result<Vec<PathBuf>> {
    for folder in &flags.folders {
        if !records::records_of(folder).is_file() {
            bail!("{} is not the folder of a run: it has no records.jsonl", folder.display());
        }
    }
    if !flags.folders.is_empty() {
        return Ok(flags.folders.clone());
    }
    Ok(report::published(workspace))
}
