//! The alternatives to each token, and a fork of the story at one of them.

use bitstate::{Error, Model, Stop};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-bpe4k/model.bits");

/// Returns an error if what it shows does not hold.
pub fn main() -> Result<(), Error> {
    let model = Model::open(MODEL)?;
    let mut session = model.session(model.sampling(1))?;
    session.keep_checkpoints(8, 16)?;
    session.feed_text("Once upon a time")?;
    let tokens: Vec<_> = session.tokens(Stop::new().max_tokens(20).alternatives(3)).collect::<Result<_, _>>()?;
    for token in &tokens {
        let chance = token.logprob.unwrap_or_default().exp();
        let others = token.alternatives.iter().filter(|other| other.token != token.id);
        let tokenizer = model.tokenizer().expect("it has one");
        let others: Vec<String> =
            others.map(|other| format!("{:?} {:.2}", tokenizer.decode(&[other.token]), other.logprob.exp())).collect();
        println!("{:>10?} {chance:.2}, not {}", token.piece, others.join(" or "));
    }
    // Back to the tenth token, and on with the second most probable one.
    let tenth = &tokens[10];
    let other = tenth.alternatives.iter().find(|other| other.token != tenth.id).expect("there are three");
    session.undo(tokens.len() as u64 - 10)?;
    session.feed(&[other.token])?;
    println!("{}", session.text(Stop::new().max_tokens(20)).collect::<Result<String, _>>()?);
    println!("{:?}", session.last_text().unwrap_or_default());
    Ok(())
}
