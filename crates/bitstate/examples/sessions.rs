//! Many concurrent sessions of one model, on several threads: each produces the same text as alone.

use bitstate::{Error, Model, Stop};
use std::thread;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/models/stories-byte/model.bits");

fn tell(model: &Model, seed: u64) -> Result<String, Error> {
    let mut session = model.session(model.sampling(seed))?;
    session.feed_text("One day")?;
    session.text(Stop::new().max_tokens(60)).collect()
}

/// Returns an error if what it shows does not hold.
pub fn main() -> Result<(), Error> {
    let model = Model::open(MODEL)?;
    let together: Vec<Result<String, Error>> = thread::scope(|scope| {
        let sessions: Vec<_> = (0..8)
            .map(|seed| {
                scope.spawn({
                    let model = &model;
                    move || tell(model, seed)
                })
            })
            .collect();
        sessions.into_iter().map(|session| session.join().expect("a session does not panic")).collect()
    });
    for (story, seed) in together.into_iter().zip(0..) {
        let story = story?;
        assert_eq!(story, tell(&model, seed)?, "the same alone");
        println!("{seed}: {story:?}");
    }
    // Several answers to one prompt, which is processed once.
    let mut prompt = model.session(model.sampling(0))?;
    prompt.feed_text("The best thing is")?;
    for mut answer in prompt.answers(3) {
        println!("{:?}", answer.text(Stop::new().max_tokens(30)).collect::<Result<String, _>>()?);
    }
    Ok(())
}
