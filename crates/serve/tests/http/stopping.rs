//! A stopping server completes the answers that it can, cuts off the rest, and reports it.
use crate::support::{Reply, Running, completion, events, limits, read_all};
use bitstate_serve::{Config, Limits, Served};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn running_answers_complete_and_waiting_requests_are_rejected() {
    let limits = Limits { slots: 1, ..limits() };
    let mut server = Running::start(Config { limits, ..Config::default() });
    let start = |tokens: u32| {
        let mut stream = server.connect();
        let body = json!({"prompt": "a", "max_tokens": tokens, "ignore_end": true});
        stream.write_all(completion(&body).as_bytes()).unwrap();
        stream
    };
    let mut makes = start(50_000);
    server.wait_for_taken(1);
    let mut waits = start(5);
    server.wait_for("bitstate_requests_queued", 1.0);
    server.begin_stop();
    let reply = Reply::new(&read_all(&mut waits));
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{}", reply.text());
    let reply = Reply::new(&read_all(&mut makes));
    assert_eq!(reply.json()["usage"]["completion_tokens"], json!(50_000));
    assert!(TcpStream::connect(server.addr).is_err(), "the port is closed");
    assert_eq!(server.stop(), Served { answered: 1, cut: 0, left: 0 });
}

#[test]
fn long_answers_are_cut_off_with_an_error() {
    let limits = Limits { stop_time: Duration::from_millis(200), ..limits() };
    let mut server = Running::start(Config { limits, threads: 2, ..Config::default() });
    let clients: Vec<TcpStream> = (0..16)
        .map(|i| {
            let mut stream = server.connect();
            let body = json!({"prompt": "a", "max_tokens": 5_000_000, "ignore_end": true, "stream": i % 2 == 0});
            stream.write_all(completion(&body).as_bytes()).unwrap();
            stream
        })
        .collect();
    server.wait_for_taken(16);
    server.begin_stop();
    for (i, mut client) in clients.into_iter().enumerate() {
        let reply = Reply::new(&read_all(&mut client));
        let error = if i % 2 == 0 {
            let (chunks, done) = events(&reply.text());
            assert!(!done);
            chunks.last().unwrap()["error"].clone()
        } else {
            assert_eq!(reply.status, 503);
            reply.json()["error"].clone()
        };
        assert_eq!(error["code"], json!("stopping"), "{error}");
    }
    let served = server.stop();
    assert_eq!(served, Served { answered: 0, cut: 16, left: 0 });
    assert!(served.to_string().contains("16 cut"), "{served}");
}
