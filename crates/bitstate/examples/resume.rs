//! Stops in the middle of a story, saves, and resumes on another kernel variant: not a bit differs.

use bitstate::{Digest, Error, Model, Session, Stop, Variant};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-bpe4k/model.bits");

fn tell(session: &mut Session, tokens: u64) -> Result<String, Error> {
    session.text(Stop::new().ignore_end().max_tokens(tokens)).collect()
}

/// Returns an error if what it shows does not hold.
pub fn main() -> Result<(), Error> {
    let fast = Model::open(MODEL)?;
    let mut session = fast.session(fast.sampling(7))?;
    session.feed_text("Once upon a time")?;
    let beginning = tell(&mut session, 20)?;
    let saved = session.to_bytes();

    let plain = Model::builder().variant(Variant::Generic).open(MODEL)?;
    let mut resumed = plain.resume(&saved)?;
    let (here, there) = (tell(&mut session, 40)?, tell(&mut resumed, 40)?);
    assert_eq!(here, there);
    assert_eq!(Digest::of_f32s(session.logits()?), Digest::of_f32s(resumed.logits()?));
    println!("{} bytes, {:?} then {:?}: {beginning}|{there}", saved.len(), fast.variant(), plain.variant());
    Ok(())
}
