//! The examples run: each returns an error if what it shows does not hold.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "their `main` is called by name")]

macro_rules! examples {
    ($($name:ident: $path:literal,)*) => {$(
        #[path = $path]
        mod $name;
    )*

        #[test]
        fn every_example_ends_well() {
            $($name::main().unwrap_or_else(|error| panic!("{}: {error}", stringify!($name)));)*
        }
    };
}

examples! {
    sessions: "../examples/sessions.rs",
    resume: "../examples/resume.rs",
    sampler: "../examples/sampler.rs",
    alternatives: "../examples/alternatives.rs",
}

#[path = "../examples/story.rs"]
mod story;

#[test]
fn the_story_is_told() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-byte/model.bits");
    story::tell(model, "Once upon a time").unwrap();
    assert!(story::tell("no/such/model.bits", "").unwrap_err().to_string().contains("no/such/model.bits"));
}
