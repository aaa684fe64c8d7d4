//! The cost of saving and resuming a session: its bytes, and the round trip through a file.
//!
//! `cargo bench -p bitstate`. Only compare numbers of one run: the machine's speed drifts.

use bitstate::{Model, Sampling, Stop};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn session(c: &mut Criterion) {
    for name in ["stories-byte", "stories-bpe4k"] {
        let path = format!("{}/../../golden/models/{name}/model.bits", env!("CARGO_MANIFEST_DIR"));
        let model = Model::open(&path).expect("the model is in the repository");
        let mut session = model.session(Sampling::seeded(1).top_k(50)).expect("in range");
        session.feed_text("Once upon a time").expect("text");
        session.tokens(Stop::new().ignore_end().max_tokens(100)).for_each(|token| drop(token.expect("finite")));
        let saved = session.to_bytes();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("session");
        c.bench_function(&format!("to bytes/{name}"), |b| b.iter(|| black_box(session.to_bytes())));
        c.bench_function(&format!("resume/{name}"), |b| {
            b.iter(|| model.resume(black_box(&saved)).expect("saved here"))
        });
        c.bench_function(&format!("save file/{name}"), |b| b.iter(|| session.save(&file).expect("room")));
        c.bench_function(&format!("resume file/{name}"), |b| b.iter(|| model.resume_file(&file).expect("saved")));
    }
}

criterion_group!(sessions, session);
criterion_main!(sessions);
