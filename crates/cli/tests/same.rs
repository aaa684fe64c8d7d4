//! The same text in every way to request it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Model, Stop};
use support::{BYTE, Folder};

#[test]
fn the_library_and_every_command_give_the_same_text() {
    let folder = Folder::new();
    let model = Model::open(folder.path().join(BYTE)).unwrap();
    let mut ends = 0;
    for seed in 0..200_u64 {
        // A different prompt, temperature and length for each; some end in the middle of a character.
        let prompt = ["Once", "ü", "Tim's dog\tsaid", "😀 a"][seed as usize % 4];
        let (temperature, most) = (0.5 + 0.01 * seed as f32, 4 + seed % 20);
        let mut session = model.session(model.sampling(seed).temperature(temperature)).unwrap();
        session.feed_text(prompt).unwrap();
        let text: String = session.text(Stop::new().max_tokens(most)).map(Result::unwrap).collect();
        let text = text + &session.finish_text();
        ends += usize::from(text.ends_with('\u{fffd}'));

        let flags = format!("--model {BYTE} --seed {seed} --temperature {temperature} --max-tokens {most}");
        let given = ["--prompt", prompt];
        let run = |arguments: &str| folder.command(arguments).args(given).output().unwrap();
        let plain = support::Ran::new(run(&format!("generate {flags}")));
        assert_eq!(plain.out, format!("{text}\n"), "{flags} {prompt}");
        let json = support::Ran::new(run(&format!("generate {flags} --json"))).json();
        assert_eq!(json["text"].as_str(), Some(text.as_str()), "{flags} {prompt}");
        let chat = folder.with_input(&format!("chat {flags}"), format!("{prompt}\n").as_bytes());
        assert_eq!(chat.out, format!("{text}\n"), "{flags} {prompt}");
    }
    assert!(ends > 10, "only {ends} texts end within a character");
}
