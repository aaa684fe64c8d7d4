//! The man pages and completions contain every subcommand and flag of the help.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/pages.rs"]
mod pages;

use std::collections::BTreeSet;
use std::fs;

#[test]
fn pages_have_every_subcommand_and_flag() {
    let folder = tempfile::tempdir().unwrap();
    pages::write(folder.path()).unwrap();
    let read =
        |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let completions = ["bitstate.bash", "_bitstate", "bitstate.fish", "_bitstate.ps1"]
        .map(|name| read(&format!("completions/{name}")));

    let command = bitstate_cli::command();
    let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
    assert!(verbs.len() > 8);
    let mut expected: BTreeSet<String> = ["bitstate.1".into()].into();
    for verb in verbs {
        let page = read(&format!("man/bitstate-{}.1", verb.get_name()));
        expected.insert(format!("bitstate-{}.1", verb.get_name()));
        let nested = verb.get_subcommands().filter(|nested| nested.get_name() != "help");
        expected.extend(nested.map(|nested| format!("bitstate-{}-{}.1", verb.get_name(), nested.get_name())));
        let flags: Vec<&str> = verb.get_arguments().filter_map(|flag| flag.get_long()).collect();
        for flag in &flags {
            // Hyphens are escaped in man pages.
            assert!(page.contains(&format!("\\-\\-{}", flag.replace('-', "\\-"))), "{} --{flag}", verb.get_name());
            for (shell, text) in ["bash", "zsh", "fish", "PowerShell"].iter().zip(&completions) {
                assert!(text.contains(flag) && text.contains(verb.get_name()), "{shell}: {} --{flag}", verb.get_name());
            }
        }
    }
    let found = fs::read_dir(folder.path().join("man")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert!(found.collect::<BTreeSet<_>>().is_superset(&expected));
}
