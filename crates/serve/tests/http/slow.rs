//! Slow clients: they do not block a slot, and are disconnected.
use crate::support::{Running, completion};
use bitstate_serve::{Config, Limits};
use serde_json::json;
use std::io::{Read, Write};
use std::time::Duration;

#[test]
fn a_client_that_sends_a_byte_at_a_time_gets_no_slot_and_is_disconnected() {
    let limits =
        Limits { slots: 2, head_time: Duration::from_secs(1), body_time: Duration::from_secs(1), ..Limits::default() };
    let server = Running::start(Config { limits, ..Config::default() });
    let bytes = completion(&json!({"prompt": "Once upon a time", "max_tokens": 2}));
    let body_at = bytes.find("\r\n\r\n").unwrap() + 4;
    std::thread::scope(|scope| {
        for client in 0..16 {
            let (server, bytes) = (&server, &bytes);
            scope.spawn(move || {
                let mut stream = server.connect();
                // Half of the clients send the head slowly, half the body.
                let at_once = if client % 2 == 0 { 10 } else { body_at + 3 };
                stream.write_all(&bytes.as_bytes()[..at_once]).unwrap();
                for byte in &bytes.as_bytes()[at_once..] {
                    std::thread::sleep(Duration::from_millis(200));
                    if stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                }
                panic!("the server waited for the whole request");
            });
        }
        for _ in 0..20 {
            assert!(server.taken() <= 1, "only this request may have a slot");
            server.complete(&json!({"prompt": "a", "max_tokens": 5}));
        }
    });
    server.wait_for_taken(0);
}

#[test]
fn a_client_that_reads_nothing_holds_a_slot_only_while_its_answer_is_generated() {
    let limits = Limits { slots: 2, max_tokens: 100_000, write_time: Duration::from_secs(1), ..Limits::default() };
    let server = Running::start(Config { limits, ..Config::default() });
    // More than fits in the buffers between: one event per token, about 200 bytes each.
    let body = json!({"prompt": "a", "max_tokens": 100_000, "ignore_end": true, "stream": true});
    let sleepers: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(completion(&body).as_bytes()).unwrap();
            let mut one = [0];
            stream.read_exact(&mut one).unwrap();
            stream
        })
        .collect();
    server.wait_for_taken(0);
    server.complete(&json!({"prompt": "a", "max_tokens": 5}));
    let [complete, left] =
        ["requests_complete", "clients_left"].map(|name| server.metric(&format!("bitstate_{name}_total")));
    assert_eq!(complete + left, 9.0, "each answer was completed, or its client was disconnected");
    // Clients that do not read are disconnected: only the connection that asks is left.
    server.wait_for("bitstate_connections", 1.0);
    drop(sleepers);
}
