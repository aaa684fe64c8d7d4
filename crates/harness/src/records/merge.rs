//! Merges shards of one commit, measured on several machines or of other cells or workloads, into one file.
//!
//! A merged file concatenates the runs with their rows unchanged: a `run` row, its rows, the next `run` row, its rows.
//! So every row belongs to the machine of the `run` row above it. Each `run` row of a merged file, and of no other, has
//! the field `shard`: its index from 1, the number of shards, and its name. A second `run` row without it is an error,
//! so two files appended to each other are not read as one run; a missing part is an error because the parts are
//! numbered.
//!
//! Samples of single kernels and of memory reads are the reference for the other numbers of a run. Every part keeps its
//! own, and a share of the roof is computed within a part. Everything else measured or verified is in one part only.

use super::counter::key_tools;
use super::file::{self, PACKED, Part, RECORDS, read_parts, records_of};
use super::lines::Lines;
use super::provenance::{Provenance, Shard};
use super::rows::Row;
use crate::targets::targets;
use crate::workspace::error::Error;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The subject of a row: target, variant (or two sides) and workload.
type Subject<'a> = (&'a str, String, &'a str);

/// Merges runs, given as records files or folders that have one, into one file.
///
/// # Errors
/// [`Error::NotComparable`], naming both files and the field, if two differ in commit, local changes, schema, golden
/// streams, models or compilers, or measured the same cell and workload; and if a file cannot be read or written.
pub fn merge(paths: &[PathBuf], out: &Path) -> Result<Vec<Part>, Error> {
    let files: Vec<PathBuf> = paths.iter().map(|path| records_of(path)).collect();
    same_schema(&files)?;
    let mut named: Vec<(String, Part)> = Vec::new();
    for (path, file) in paths.iter().zip(&files) {
        for mut part in read_parts(file)? {
            let name = part.provenance.shard.take().map_or_else(|| name_of(path), |shard| shard.name);
            let shown = file.display();
            let same_name = named.iter().any(|(other, _)| *other == shown.to_string());
            let label = if same_name { format!("{shown} (part {name})") } else { shown.to_string() };
            part.provenance.shard = Some(Shard { index: 0, of: 0, name });
            named.push((label, part));
        }
    }
    check(&named.iter().map(|(name, part)| (name.as_str(), part)).collect::<Vec<_>>())?;
    let mut parts: Vec<Part> = named.into_iter().map(|(_, part)| part).collect();
    let of = parts.len();
    for (i, part) in parts.iter_mut().enumerate() {
        if let Some(shard) = &mut part.provenance.shard {
            (shard.index, shard.of) = (i + 1, of);
        }
    }
    let run = |part: &Part| Row::Run(Box::new(part.provenance.clone()));
    let rows: Vec<Row> = parts.iter().flat_map(|part| std::iter::once(run(part)).chain(part.rows.clone())).collect();
    file::write(out, &rows)?;
    Ok(parts)
}

/// A shard's name: that of its folder if the file has the usual name, else that of the file.
fn name_of(path: &Path) -> String {
    let usual = path.file_name().is_some_and(|name| name == RECORDS || name == PACKED);
    let named = if usual { path.parent().and_then(Path::file_name) } else { path.file_name() };
    let name = named.unwrap_or(path.as_os_str()).to_string_lossy();
    name.trim_end_matches(".gz").trim_end_matches(".jsonl").to_string()
}

/// Checks that parts may be in one file.
///
/// # Errors
/// [`Error::NotComparable`] with the names of the first two that may not, and the reason.
pub fn check(parts: &[(&str, &Part)]) -> Result<(), Error> {
    for (i, (name, part)) in parts.iter().enumerate() {
        for (other_name, other) in &parts[..i] {
            if let Some((field, a, b)) = differing(other, part) {
                let fix = "measure both again from the same commit, with the same tools";
                return Err(refuse(&format!("{field} is {a} in {other_name} and {b} in {name}: {fix}")));
            }
        }
    }
    let mut seen: BTreeMap<Subject, &str> = BTreeMap::new();
    for (name, part) in parts {
        for subject in part.rows.iter().filter_map(measured) {
            match seen.insert(subject.clone(), name).filter(|other| other != name) {
                Some(other) => {
                    let (target, variant, workload) = subject;
                    let what = format!("`{target}/{variant}` on `{workload}`");
                    let text = format!("{what} is in both {other} and {name}: leave it out of one of them");
                    return Err(refuse(&text));
                }
                None => continue,
            }
        }
    }
    Ok(())
}

/// As [`check`], for the parts of one file.
///
/// # Errors
/// As there.
pub fn check_parts(path: &Path, parts: &[Part]) -> Result<(), Error> {
    let label = |part: &Part| {
        let index = part.provenance.shard.as_ref().map_or(1, |shard| shard.index);
        format!("part {index} of {}", path.display())
    };
    let labels: Vec<String> = parts.iter().map(label).collect();
    check(&labels.iter().map(String::as_str).zip(parts).collect::<Vec<_>>())
}

fn refuse(why: &str) -> Error {
    Error::NotComparable(format!("cannot merge: {why}"))
}

/// What a row measured or verified; `None` for what every part may have of its own.
fn measured(row: &Row) -> Option<Subject<'_>> {
    match row {
        Row::Sample { target, variant, workload, phase, .. } if phase != "kernel" => {
            Some((target, variant.clone(), workload))
        }
        Row::Verified { target, variant, workload, .. } => Some((target, variant.clone(), workload)),
        Row::Pair { target, sides, workload, .. } => Some((target, sides.join(" and "), workload)),
        Row::Peer { target, peer, workload, .. } => Some((target, peer.clone(), workload)),
        _ => None,
    }
}

/// The first field in which two parts differ and must not, with the value of each.
fn differing(a: &Part, b: &Part) -> Option<(String, String, String)> {
    let (pa, pb) = (&a.provenance, &b.provenance);
    let quoted = |text: &str| format!("`{text}`");
    if pa.commit != pb.commit {
        return Some(("the commit".into(), quoted(&pa.commit), quoted(&pb.commit)));
    }
    // Two modified trees are the same only if both record the digest of their changes.
    if pa.dirty != pb.dirty || (pa.dirty && (pa.changes != pb.changes || pa.changes.is_none())) {
        let say = |p: &Provenance| match (&p.changes, p.dirty) {
            (_, false) => "none".to_string(),
            (Some(digest), true) => quoted(digest),
            (None, true) => "changes that it does not identify".into(),
        };
        return Some(("the digest of local changes".into(), say(pa), say(pb)));
    }
    if pa.golden != pb.golden {
        return Some(("the digest of the golden streams".into(), quoted(&pa.golden), quoted(&pb.golden)));
    }
    if pa.quick != pb.quick {
        return Some(("`quick`".into(), pa.quick.to_string(), pb.quick.to_string()));
    }
    let in_both = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>, matters: &dyn Fn(&str) -> bool| {
        let differs = |(name, value): (&String, &String)| {
            let other = b.get(name).filter(|other| *other != value && matters(name))?;
            Some((name.clone(), quoted(value), quoted(other)))
        };
        a.iter().find_map(differs)
    };
    if let Some((name, a, b)) = in_both(&pa.models, &pb.models, &|_| true) {
        return Some((format!("the digest of model `{name}`"), a, b));
    }
    // The compiler determines the result; a counting tool matters only if both counted with it.
    let matters = |tool: &str| {
        let used = |part: &Part, target: &str| part.rows.iter().filter_map(measured).any(|(of, ..)| of == target);
        let counted = |target: &str| used(a, target) && used(b, target) && key_tools(target).contains(&tool);
        tool.starts_with("rustc") || targets().iter().any(|target| counted(target.name))
    };
    in_both(&pa.tools, &pb.tools, &matters).map(|(name, a, b)| (format!("the version of {name}"), a, b))
}

/// Checks the schema of every file before anything else: another version may have other fields.
fn same_schema(files: &[PathBuf]) -> Result<(), Error> {
    let mut first: Option<(u64, &Path)> = None;
    for file in files {
        let Some(line) = Lines::open(file)?.next().transpose()? else { continue };
        let value: serde_json::Value = serde_json::from_str(&line.text).unwrap_or_default();
        // A line without one is reported by the reader of the file.
        let Some(schema) = value.get("schema").and_then(serde_json::Value::as_u64) else { continue };
        match first {
            Some((other, path)) if other != schema => {
                let (path, file) = (path.display(), file.display());
                return Err(refuse(&format!(
                    "the schema is {other} in {path} and {schema} in {file}: measure both again with one build"
                )));
            }
            _ => first = Some((schema, file)),
        }
    }
    Ok(())
}
