//! Prints a story as it is generated: `cargo run --release -p bitstate --example story [MODEL] [PROMPT]`.

use bitstate::{Error, Model, Stop};
use std::io::{Write, stdout};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments
        .next()
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-byte/model.bits").into());
    tell(&model, &arguments.next().unwrap_or_else(|| "Once upon a time".into()))
}

/// Prints the model's continuation of the prompt.
pub fn tell(model: &str, prompt: &str) -> Result<(), Error> {
    let model = Model::open(model)?;
    let mut session = model.session(model.sampling(42))?;
    session.feed_text(prompt)?;
    print!("{prompt}");
    for piece in session.text(Stop::new().max_tokens(300)) {
        print!("{}", piece?);
        // A closed terminal is no reason to stop.
        let _ = stdout().flush();
    }
    println!("\n{:?}", session.ended());
    Ok(())
}
