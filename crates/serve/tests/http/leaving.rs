//! Clients that disconnect: their slots are freed, and other clients are not affected.
use crate::support::{Random, Running, completion, limits};
use bitstate_serve::{Config, Limits};
use serde_json::{Value, json};
use std::io::{Read, Write};

/// An answer that takes longer than the test.
fn endless(stream: bool, prompt: usize) -> Value {
    json!({"prompt": vec![97; prompt], "max_tokens": 5_000_000, "ignore_end": true, "stream": stream, "seed": 1})
}

#[test]
fn a_client_that_leaves_at_any_byte_frees_its_slot_and_changes_no_other() {
    let limits = Limits { prompt_tokens: 1 << 20, body: 8 << 20, ..limits() };
    let server = Running::start(Config { limits, ..Config::default() });
    let steady = json!({"prompt": "Once upon a time", "seed": 5, "max_tokens": 3000, "ignore_end": true});
    let alone = server.complete(&steady)["choices"][0].clone();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert_eq!(server.complete(&steady)["choices"][0], alone);
                }
            });
        }
        for client in 0..64_u64 {
            let server = &server;
            scope.spawn(move || {
                let mut random = Random(client + 1);
                // With and without streaming; during the request, a long prompt, and decoding.
                let prompt = if client % 4 < 2 { 8 } else { 200_000 };
                let bytes = completion(&endless(client % 2 == 0, prompt)).into_bytes();
                let mut stream = server.connect();
                if client % 8 == 7 {
                    stream.write_all(&bytes[..random.below(bytes.len())]).unwrap();
                    return;
                }
                stream.write_all(&bytes).unwrap();
                if client % 2 == 0 && prompt < 100 {
                    let mut some = vec![0; 1 + random.below(5000)];
                    stream.read_exact(&mut some).unwrap();
                } else {
                    std::thread::sleep(std::time::Duration::from_millis(random.below(60) as u64));
                }
            });
        }
    });
    server.wait_for_taken(0);
    // Every started request was aborted, not completed.
    let left = server.metric("bitstate_clients_left_total");
    assert!(left >= 16.0, "only {left} requests were aborted");
    assert_eq!(server.complete(&steady)["choices"][0], alone);
    assert_eq!(server.metric("bitstate_requests_complete_total"), 14.0);
}

#[test]
fn a_client_that_leaves_the_queue_does_not_block_it() {
    let limits = Limits { slots: 2, ..limits() };
    let server = Running::start(Config { limits, ..Config::default() });
    let [first, second] = [(); 2].map(|()| {
        let mut stream = server.connect();
        stream.write_all(completion(&endless(true, 3)).as_bytes()).unwrap();
        stream
    });
    server.wait_for_taken(2);
    // A waiting client leaves; the next one gets the slot that becomes free.
    let mut waits = server.connect();
    waits.write_all(completion(&endless(false, 3)).as_bytes()).unwrap();
    server.wait_for("bitstate_requests_queued", 1.0);
    drop(waits);
    server.wait_for("bitstate_requests_queued", 0.0);
    drop(first);
    server.wait_for_taken(1);
    assert_eq!(server.complete(&json!({"prompt": "a", "max_tokens": 3}))["usage"]["completion_tokens"], json!(3));
    drop(second);
    server.wait_for_taken(0);
}

#[test]
fn health_and_others_answer_while_a_long_prompt_is_read() {
    let limits = Limits { prompt_tokens: 1 << 22, body: 32 << 20, ..limits() };
    let server = Running::start(Config { limits, threads: 1, ..Config::default() });
    let mut stream = server.connect();
    // One prompt that takes this model some twenty seconds.
    stream.write_all(completion(&endless(false, 2_000_000)).as_bytes()).unwrap();
    server.wait_for_taken(1);
    let read = server.metric("bitstate_prompt_tokens_total");
    for _ in 0..20 {
        assert_eq!(server.get("/health").status, 200);
        let short = server.complete(&json!({"prompt": "Once", "max_tokens": 20, "ignore_end": true}));
        assert_eq!(short["usage"]["completion_tokens"], json!(20));
    }
    assert_eq!(server.taken(), 1, "the long prompt is still being read");
    assert!(server.metric("bitstate_prompt_tokens_total") > read, "and continues");
    drop(stream);
    server.wait_for_taken(0);
    assert_eq!(server.metric("bitstate_clients_left_total"), 1.0);
}
