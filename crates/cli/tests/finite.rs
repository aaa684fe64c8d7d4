//! A model whose logits overflow gives an error with the position, never an answer.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::bits::{Preset, Version, Weights};
use std::fs;
use support::{Folder, Ran, variants};

/// `overflow.bits`: finite weights; those of the last norm are 3e38.
fn folder(preset: &str, version: Version) -> Folder {
    let folder = Folder::new();
    let mut weights = Weights::synthetic(&Preset::by_name(preset).unwrap().config(), 1).unwrap();
    weights.ln_f.weight.fill(3e38);
    fs::write(folder.path().join("overflow.bits"), weights.write(version).unwrap()).unwrap();
    fs::write(folder.path().join("text.txt"), "Once.\n<|endoftext|>\nUpon a time.").unwrap();
    folder
}

#[test]
fn every_command_rejects_logits_that_are_not_finite() {
    for version in [Version::V1_1, Version::V1_2] {
        let folder = folder("byte", version);
        // The file is valid.
        folder.stdout("inspect overflow.bits");
        for variant in variants() {
            for (command, place) in [
                ("generate --tokens 3,1,4 --greedy", "position 3: the logit of token 0"),
                ("generate --tokens 3,1,4 --greedy --json", "position 3: the logit of token 0"),
                ("generate --tokens 3 --seed 1 --json", "position 1: the logit of token 0"),
                ("generate --prompt Once --temperature 0", "position 4: the logit of token 0"),
                ("logits --tokens 3,1,4", "position 3: the logit of token 0"),
                ("logits --tokens 3,1,4 --json", "position 3: the logit of token 0"),
                ("eval --text text.txt", "text.txt: story 1, position 1: the logit of token 0"),
                ("eval --text text.txt --json --restart", "text.txt: story 1, position 1: the logit of token 0"),
            ] {
                let Ran { success, out, err, .. } =
                    folder.run(&format!("{command} --model overflow.bits --variant {variant}"));
                assert!(!success && out.is_empty(), "{command} {variant}: {out}");
                assert!(err.starts_with("error: ") && err.contains(place) && err.contains("NaN or infinite"), "{err}");
                assert!(err.contains("overflow.bits"), "{err}");
            }
        }
    }
}

/// The head is so large that greedy decoding does not look at every logit.
#[test]
fn greedy_of_a_large_vocabulary_is_no_exception() {
    let folder = folder("default", Version::V1_2);
    for variant in variants() {
        let ran = folder.run(&format!("generate --model overflow.bits --tokens 3 --greedy --json --variant {variant}"));
        assert!(!ran.success && ran.out.is_empty() && ran.err.contains("position 1: the logit of token 0"), "{ran:?}");
    }
}
