//! The structure of the harness: which rooms may use which, the limits on entries and lines, and how files depend on
//! each other. Read from the sources, so that a new dependency shows as a change of the table below.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room and the rooms that it uses, ordered so that each uses only later ones.
const ROOMS: [(&str, &[&str]); 8] = [
    ("selftest", &["runs", "verdicts", "records", "definitions", "targets", "workspace"]),
    ("report", &["verdicts", "records", "definitions", "targets", "workspace"]),
    ("runs", &["verdicts", "records", "definitions", "targets", "workspace"]),
    ("verdicts", &["records", "definitions", "targets", "workspace"]),
    ("records", &["definitions", "targets", "workspace"]),
    ("definitions", &["targets", "workspace"]),
    ("targets", &["workspace"]),
    ("workspace", &[]),
];

/// Most entries of `src/`, so that it can be read at a glance.
const MOST_ENTRIES: usize = 9;
/// Most lines of a file.
const MOST_LINES: usize = 400;
/// Most cycles of files in a room.
const MOST_CIRCLES: usize = 1;

/// A source file: its path below `src/`, its module path, and its text without comments and literals.
#[derive(Clone)]
struct Source {
    path: PathBuf,
    module: Vec<String>,
    /// Its child modules.
    children: Vec<String>,
    code: String,
}

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    let src = crate_folder().join("src");
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_string()).collect()
    };
    let source = |file: PathBuf| {
        let path = file.strip_prefix(&src).unwrap().to_path_buf();
        let mut module: Vec<String> =
            path.with_extension("").iter().map(|part| part.to_str().unwrap().to_string()).collect();
        let mut children = Vec::new();
        if module.last().is_some_and(|name| name == "mod" || name == "lib") {
            module.pop();
            children = names(file.parent().unwrap());
        }
        Source { module, path, children, code: without_words(&std::fs::read_to_string(file).unwrap()) }
    };
    rust_files(&src).into_iter().map(source).collect()
}

/// The text without comments and string literals.
fn without_words(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|after| after.len() - after.trim_start_matches('#').len());
        let skipped = match raw {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            Some(marks) if rest[1 + marks..].starts_with('"') && !code.ends_with(|c: char| c.is_alphanumeric()) => {
                let end = format!("\"{}", "#".repeat(marks));
                let start = 2 + marks;
                start + rest[start..].find(&end).unwrap() + end.len()
            }
            _ if first == '"' => {
                let mut escaped = false;
                let end = rest[1..].find(|c: char| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                end.unwrap() + 2
            }
            _ if ["'\"'", "'\\\"'"].iter().any(|quote| rest.starts_with(quote)) => rest[1..].find('\'').unwrap() + 2,
            _ => {
                code.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[skipped..];
    }
    code
}

/// Every path of a text that begins with `crate::`, `super::` or a module of the file's own, whole: of
/// `use a::{b, c::d}` there are `a::b` and `a::c::d`. The modules that it is written in are counted by their braces, so that `super` is the right one.
fn paths(source: &Source) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    // Names of inner modules, with the depth of braces at which each ends.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    let code = source.code.as_str();
    // `pub(in crate::a)` restricts visibility, and uses nothing.
    let starts_word = |at: usize| {
        let before = &code[..at];
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') && !before.ends_with("(in ")
    };
    let starts_path = |rest: &str| {
        let begins = |first: &str| rest.strip_prefix(first).is_some_and(|after| after.starts_with("::"));
        begins("crate") || begins("super") || source.children.iter().any(|child| begins(child))
    };
    while at < code.len() {
        let rest = &code[at..];
        if rest.starts_with('{') {
            depth += 1;
        } else if rest.starts_with('}') {
            depth -= 1;
            inner.retain(|(_, ends)| *ends < depth + 1);
        } else if let Some(name) = rest.strip_prefix("mod ").filter(|_| starts_word(at)) {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if rest[4 + name.len()..].trim_start().starts_with('{') {
                inner.push((name, depth + 1));
            }
        } else if starts_word(at) && starts_path(rest) {
            let mut here = source.module.clone();
            here.extend(inner.iter().map(|(name, _)| name.clone()));
            let tree = tree(rest);
            found.extend(leaves(tree).into_iter().map(|path| absolute(&path, &here)));
            // Braces of the tree are balanced.
            at += tree.len();
            continue;
        }
        at += rest.chars().next().unwrap().len_utf8();
    }
    found
}

/// The path at the start of a text, including braces at its end.
fn tree(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c: char| {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => {}
        }
        depth == 0 && !(c.is_alphanumeric() || c == '_' || c == ':')
    });
    text[..end.unwrap_or(text.len())].trim_end_matches(':')
}

fn leaves(tree: &str) -> Vec<String> {
    let Some((prefix, list)) = tree.split_once('{') else { return vec![tree.to_string()] };
    let list = &list[..list.rfind('}').unwrap()];
    let mut depth = 0;
    let parts = list.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts.flat_map(leaves).map(|part| format!("{prefix}{}", part.split(' ').next().unwrap())).collect()
}

fn absolute(path: &str, here: &[String]) -> Vec<String> {
    let mut absolute: Vec<String> = if path.starts_with("crate::") { Vec::new() } else { here.to_vec() };
    for part in path.split("::") {
        match part {
            "crate" | "self" | "" => {}
            "super" => {
                absolute.pop();
            }
            name => absolute.push(name.to_string()),
        }
    }
    absolute
}

/// For each room the rooms that its files use, each with one of the files.
fn arrows(sources: &[Source]) -> BTreeMap<(String, String), PathBuf> {
    let mut arrows = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        for path in paths(source) {
            let to = path.first().unwrap_or_else(|| panic!("{} names the whole crate", source.path.display()));
            if *to != source.module[0] {
                arrows.entry((source.module[0].clone(), to.clone())).or_insert_with(|| source.path.clone());
            }
        }
    }
    arrows
}

#[test]
fn a_room_uses_the_rooms_that_the_table_says_and_no_others() {
    let allowed = |(room, uses): &(&str, &[&str])| {
        let room = room.to_string();
        uses.iter().map(|used| (room.clone(), used.to_string())).collect::<Vec<_>>()
    };
    let mut unused: BTreeSet<(String, String)> = ROOMS.iter().flat_map(allowed).collect();
    for (arrow, file) in arrows(&sources()) {
        let (from, to) = &arrow;
        assert!(unused.remove(&arrow), "{} uses `{to}`, which a file of the room `{from}` may not", file.display());
    }
    assert!(unused.is_empty(), "the table allows what nobody uses: {unused:?}");
}

/// A kind of target is a folder in `targets/kinds/` and its lines in the registry there: no other room names one,
/// except the self-test, which plants its faults in a native program.
#[test]
fn no_room_names_a_kind_of_target() {
    for source in sources().iter().filter(|source| source.module.first().is_some_and(|room| room != "targets")) {
        let named = paths(source).into_iter().find(|path| path.starts_with(&["targets", "kinds"].map(str::to_string)));
        let plants = source.module == ["selftest", "plant"];
        assert!(named.is_none() || plants, "{} uses `{}`", source.path.display(), named.unwrap().join("::"));
    }
}

#[test]
fn the_table_has_every_room_and_no_circle() {
    let src = crate_folder().join("src");
    let mut entries: Vec<String> =
        std::fs::read_dir(src).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    entries.sort();
    assert!(entries.len() <= MOST_ENTRIES, "{} entries: {}", entries.len(), entries.join(", "));
    let mut rooms: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).chain(["lib.rs"]).collect();
    rooms.sort_unstable();
    assert_eq!(entries, rooms);
    for (i, (room, uses)) in ROOMS.iter().enumerate() {
        let after: Vec<&str> = ROOMS[i + 1..].iter().map(|(room, _)| *room).collect();
        assert!(uses.iter().all(|used| after.contains(used)), "`{room}` uses a room that stands before it");
        // The documentation of every room but the last agrees with the table.
        let said = std::fs::read_to_string(crate_folder().join("src").join(room).join("mod.rs")).unwrap();
        let said: String = said.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
        let uses_of = said.rsplit("//!\n").next().unwrap();
        assert!(uses_of.starts_with("//! It uses "), "{room}/mod.rs does not end with what it uses");
        for (name, _) in ROOMS.iter().filter(|(name, _)| name != room) {
            let names = uses_of.split(|c: char| !c.is_alphanumeric()).any(|word| word == *name);
            assert_eq!(names, uses.contains(name), "{room}/mod.rs about `{name}`");
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for folder in ["src", "tests", "examples"] {
        for file in rust_files(&crate_folder().join(folder)) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= MOST_LINES, "{} has {lines} lines, {MOST_LINES} are the most", file.display());
        }
    }
}

/// Cycles of files that use each other, directly or through others, without unit tests. Each file beyond the first of
/// such a group counts as a cycle.
#[test]
fn files_of_a_room_hardly_go_in_circles() {
    let sources = sources();
    let files: Vec<&[String]> = sources.iter().map(|source| source.module.as_slice()).collect();
    // The file of a path is that of its longest prefix.
    let file_of =
        |path: &[String]| (0..=path.len()).rev().find_map(|n| files.iter().position(|file| *file == &path[..n]));
    let uses: Vec<BTreeSet<usize>> = sources
        .iter()
        .enumerate()
        .map(|(i, source)| {
            let code = source.code.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let source = Source { code: code.to_string(), ..source.clone() };
            paths(&source).iter().filter_map(|path| file_of(path)).filter(|to| *to != i).collect()
        })
        .collect();
    let reached: Vec<BTreeSet<usize>> = (0..files.len())
        .map(|from| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(file) = next.pop() {
                next.extend(uses[file].iter().filter(|to| reached.insert(**to)));
            }
            reached
        })
        .collect();
    for (room, _) in ROOMS {
        let of_room = (0..files.len()).filter(|file| files[*file].first().is_some_and(|first| first == room));
        let (mut circles, mut seen) = (Vec::new(), BTreeSet::new());
        for file in of_room {
            let group: BTreeSet<usize> =
                reached[file].iter().copied().filter(|other| reached[*other].contains(&file)).collect();
            if group.len() > 1 && group.is_disjoint(&seen) {
                circles.push(group.clone());
            }
            seen.extend(group);
        }
        let count: usize = circles.iter().map(|group| group.len() - 1).sum();
        let names: Vec<Vec<String>> = circles
            .iter()
            .map(|group| group.iter().map(|file| sources[*file].path.display().to_string()).collect())
            .collect();
        assert!(count <= MOST_CIRCLES, "{count} circles in `{room}`: {names:?}");
    }
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let code = "use crate::a::{b, c::{self, d as e}};\n// crate::comment::x\nconst T: &str = \"crate::text::x { \";\n\
                fn f() -> super::super::g::H { crate::i::j(crate::k::L) }\n\
                mod tests { use super::m; use super::super::n; mod deep { use super::super::o; } }\n\
                pub(in crate::visible) fn g() {} use super::p;\n\
                let r = r#\"crate::raw::\"x\"#; let c = '\"'; crate::q!(); child::s(other::t);";
    let module = ["room", "file"].map(str::to_string).to_vec();
    let source =
        Source { path: "room/file.rs".into(), module, children: vec!["child".into()], code: without_words(code) };
    let found: Vec<String> = paths(&source).iter().map(|path| path.join("::")).collect();
    let expected = ["a::b", "a::c", "a::c::d", "g::H", "i::j", "k::L", "room::file::m", "room::n", "room::file::o"];
    assert_eq!(found, [&expected[..], &["room::p", "q", "room::file::child::s"]].concat());
}
