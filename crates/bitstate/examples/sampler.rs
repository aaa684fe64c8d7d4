//! A custom sampler: one that never uses the letter e. It only needs the logits and `feed`.

use bitstate::{Error, Model, Sampling};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-byte/model.bits");

/// Returns an error if what it shows does not hold.
pub fn main() -> Result<(), Error> {
    let model = Model::open(MODEL)?;
    let mut session = model.session(Sampling::greedy())?;
    session.feed_text("A cat")?;
    let mut text = String::new();
    for _ in 0..60 {
        let logits = session.logits()?;
        let likeliest = (1u8..128).filter(|byte| !b"eE".contains(byte));
        let token = likeliest.max_by(|&a, &b| logits[usize::from(a)].total_cmp(&logits[usize::from(b)]));
        let token = token.unwrap_or(b' ');
        text.push(char::from(token));
        session.feed(&[token.into()])?;
    }
    assert!(!text.contains('e'));
    println!("A cat{text}");
    // The same with a bias and the built-in sampler.
    let mut biased = model.session(Sampling::greedy().bias(b'e'.into(), -1e9).bias(b'E'.into(), -1e9))?;
    biased.feed_text("A cat")?;
    let again: String = biased.text(bitstate::Stop::new().ignore_end().max_tokens(60)).collect::<Result<_, _>>()?;
    assert_eq!(again, text);
    Ok(())
}
