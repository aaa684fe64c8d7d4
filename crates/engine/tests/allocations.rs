//! A token allocates nothing. Only the test's own thread is counted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod counting;
mod support;

use bitstate_engine::TopLogit;
use bitstate_model::{Model, Version};
use counting::calls_during;
use support::{Run, file, variants};

#[test]
fn a_token_allocates_nothing() {
    assert_eq!(calls_during(|| drop(vec![1u8; 10])), 2, "the counter counts");
    for version in Version::ALL {
        let file = file([101, 2, 3, 32, 3], version);
        let model = Model::parse(&file).unwrap();
        for variant in variants() {
            let Run { engine, mut state, mut logits } = Run::new(&model, variant);
            let mut top = [TopLogit::default(); 50];
            let calls = calls_during(|| {
                engine.prefill(&[3, 1, 4, 1, 5], &mut state, &mut logits).unwrap();
                for token in 0..20 {
                    engine.forward(token, &mut state, &mut logits).unwrap();
                }
                engine.advance(&[1, 2, 3], &mut state).unwrap();
                engine.logits(&mut state, &mut logits).unwrap();
                engine.top_logits(&mut state, &mut top, &mut logits).unwrap();
                engine.top_logits(&mut state, &mut top[..1], &mut logits).unwrap();
                engine.forward(101, &mut state, &mut logits).unwrap_err();
                engine.prefill(&[], &mut state, &mut logits).unwrap_err();
                state.reset();
            });
            assert_eq!(calls, 0, "{version} {variant:?}");
        }
    }
}
