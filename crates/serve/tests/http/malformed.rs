//! Thousands of malformed requests: each is rejected, and the server keeps working.
use crate::support::{Random, Running, completion};
use bitstate_serve::{Config, Limits};
use serde_json::json;
use std::time::Duration;

/// Total number of requests.
const CASES: u64 = 10_000;

/// An almost valid request.
fn broken(random: &mut Random) -> Vec<u8> {
    let body = json!({"prompt": "a", "max_tokens": 2, "stop": ["x"], "logit_bias": {"1": 2}, "seed": 3, "n": 1});
    let mut bytes = completion(&body).into_bytes();
    let snippets: [&[u8]; 14] = [
        b"\r\n",
        b"\r\n\r\n",
        b"\0",
        b"\xff\xfe",
        b"{",
        b"\"",
        b"]",
        b"-1",
        b"1e999",
        b"transfer-encoding: chunked\r\n",
        b"content-length: 5\r\n",
        b"host: evil.example\r\n",
        b"\\ud800",
        b"null",
    ];
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.below(256) as u8,
            1 => drop(bytes.drain(at..bytes.len().min(at + 1 + random.below(20)))),
            2 => bytes.truncate(at.max(1)),
            3 => {
                let snippet = *random.pick(&snippets);
                drop(bytes.splice(at..at, snippet.iter().copied()));
            }
            _ => {
                let from = random.below(bytes.len());
                let copy: Vec<u8> = bytes[from..bytes.len().min(from + 30)].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
    bytes
}

#[test]
fn no_malformed_request_breaks_or_hangs_the_server() {
    // Requests that announce more than they send time out soon.
    let short = Duration::from_millis(200);
    let limits = Limits { head_time: short, body_time: short, ..Limits::default() };
    let server = Running::start(Config { limits, ..Config::default() });
    let mut statuses = std::collections::BTreeMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32_u64)
            .map(|thread| {
                let server = &server;
                scope.spawn(move || {
                    let mut statuses = Vec::new();
                    for case in 0..CASES / 32 {
                        let bytes = broken(&mut Random(thread * 1_000_003 + case * 7 + 1));
                        let answer = server.raw(&bytes);
                        let text = String::from_utf8_lossy(&answer);
                        // A request that cannot be parsed may get no response.
                        for line in text.lines().filter(|line| line.starts_with("HTTP/1.1 ")) {
                            let status: u16 = line[9..12].parse().unwrap();
                            assert!(status < 500, "{:?}: {text}", String::from_utf8_lossy(&bytes));
                            statuses.push(status);
                        }
                    }
                    statuses
                })
            })
            .collect();
        for status in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
            *statuses.entry(status).or_insert(0) += 1;
        }
    });
    // The requests are varied: some are valid, some not.
    for status in [200, 400, 403, 415] {
        assert!(statuses.contains_key(&status), "{statuses:?}");
    }
    assert_eq!(server.metric("bitstate_engine_panics_total"), 0.0);
    server.wait_for_taken(0);
    server.complete(&json!({"prompt": "a"}));
}
