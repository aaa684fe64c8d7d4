//! Errors name the problem and the fix.
use crate::support::{Running, completion, model, request};
use bitstate::Model;
use bitstate::bits::{Preset, Version, synthetic};
use bitstate_serve::{Config, Key, Limits, Server};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

const KEY: &str = "a-key-of-some-length";

#[test]
fn an_invalid_or_unsupported_field_is_named() {
    let server = Running::start(Config::default());
    let completions = [
        (json!({"prompt": "a", "suffix": "b"}), 400, "suffix", "not supported"),
        (json!({"prompt": "a", "echo": true}), 400, "echo", "not supported"),
        (json!({"prompt": "a", "best_of": 2}), 400, "best_of", "not supported"),
        (json!({"prompt": "a", "stream": true, "stream_options": {"x": 1}}), 400, "stream_options.x", "not supported"),
        (json!({"prompt": "a", "temperature": "hot"}), 400, "temperature", "invalid type: string \"hot\""),
        (json!({"prompt": 7}), 400, "prompt", "a text or an array of token ids"),
        (json!({"prompt": ["a", "b"]}), 400, "prompt[0]", "invalid type: string"),
        (json!({"prompt": [1, 2, "x"]}), 400, "prompt[2]", "invalid type: string"),
        (json!({"prompt": [1, -2]}), 400, "prompt[1]", "invalid value: integer `-2`"),
        (json!({"prompt": [1, 256]}), 400, "prompt[1]", "tokens 0 to 255"),
        (json!({"prompt": []}), 400, "prompt", "at least one token"),
        (json!({"prompt": "a\u{0}b"}), 400, "prompt", "U+0000"),
        (json!({"prompt": "a", "stop": [".", 1]}), 400, "stop[1]", "invalid type: integer"),
        (json!({"prompt": "a", "stop": ""}), 400, "stop", "empty"),
        (json!({"prompt": "a", "stop": ["x".repeat(257)]}), 400, "stop[0]", "accepts 256"),
        (json!({"prompt": "a", "stop": vec!["x"; 17]}), 400, "stop", "accepts 16"),
        (json!({"prompt": "a", "logit_bias": {"x": 1}}), 400, "logit_bias.x", "not the id of a token"),
        (json!({"prompt": "a", "logit_bias": {"999": 1}}), 400, "logit_bias.999", "tokens 0 to 255"),
        (json!({"prompt": "a", "logit_bias": {"9": "x"}}), 400, "logit_bias.9", "invalid type"),
        (json!({"prompt": "a", "top_p": 0}), 400, "top_p", "above 0"),
        (json!({"prompt": "a", "min_p": 2}), 400, "min_p", "from 0"),
        (json!({"prompt": "a", "typical_p": 0}), 400, "typical_p", "above 0"),
        (json!({"prompt": "a", "temperature": -1}), 400, "temperature", "from 0"),
        (json!({"prompt": "a", "penalty": 0.5}), 400, "penalty", "at least 1"),
        (json!({"prompt": "a", "penalty": 1.1, "temperature": 0}), 400, "penalty", "temperature 0"),
        (json!({"prompt": "a", "repetition_penalty": 0}), 400, "repetition_penalty", "above 0"),
        (json!({"prompt": "a", "penalty_window": 65537}), 400, "penalty_window", "at most 65536"),
        (json!({"prompt": "a", "presence_penalty": 1e300}), 400, "presence_penalty", "finite"),
        (json!({"prompt": "a", "max_tokens": 0}), 400, "max_tokens", "accepts 1 to 4096"),
        (json!({"prompt": "a", "max_tokens": 5000}), 400, "max_tokens", "accepts 1 to 4096"),
        (json!({"prompt": "a", "n": 17}), 400, "n", "accepts 1 to 16"),
        (json!({"prompt": "a", "logprobs": 21}), 400, "logprobs", "accepts 0 to 20"),
        (json!({"prompt": "a", "seed": -1}), 400, "seed", "invalid value"),
        (json!({"prompt": "a", "stream_options": {"include_usage": true}}), 400, "stream_options", "set stream"),
        (json!({"prompt": "a", "model": "gpt-5"}), 404, "model", "this server has \"stories-byte\""),
        (json!({"prompt": "x".repeat(16_385)}), 413, "prompt", "16385 tokens: this server accepts 16384"),
    ];
    let said = |text: &str| json!([{"role": "user", "content": text}]);
    let chats = [
        (json!({"messages": [], "stream": true}), 400, "messages", "at least one"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), 400, "messages[0].role", "unknown variant `tool`"),
        (json!({"messages": [{"role": "user"}]}), 400, "messages[0]", "missing field `content`"),
        (
            json!({"messages": [{"role": "user", "content": "a", "name": "b"}]}),
            400,
            "messages[0].name",
            "not supported",
        ),
        (json!({"messages": said("a"), "tools": []}), 400, "tools", "not supported"),
        (json!({"messages": said("a"), "response_format": {}}), 400, "response_format", "not supported"),
        (json!({"messages": said("a"), "top_logprobs": 2}), 400, "top_logprobs", "set it to true"),
        (
            json!({"messages": said("a"), "max_tokens": 1, "max_completion_tokens": 1}),
            400,
            "max_completion_tokens",
            "one",
        ),
        (json!({"messages": said("a"), "logprobs": 3}), 400, "logprobs", "expected a boolean"),
    ];
    let all = completions.iter().map(|case| ("/v1/completions", case));
    for (path, (body, status, param, message)) in all.chain(chats.iter().map(|case| ("/v1/chat/completions", case))) {
        let reply = server.post(path, body);
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["param"].as_str()), (*status, Some(*param)), "{body}: {error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{body}: {error}");
        assert!(error["code"].is_string() && error["type"].is_string());
    }
    // A null field counts as not given, as with OpenAI's clients.
    let body = json!({"prompt": "a", "suffix": null, "stop": null, "temperature": null});
    assert_eq!(server.post("/v1/completions", &body).status, 400, "`suffix` is still not a supported field");
    server.complete(&json!({"prompt": "a", "stop": null, "temperature": null, "logit_bias": null}));
    assert_eq!(server.metric("bitstate_engine_panics_total"), 0.0);
}

#[test]
fn a_body_that_is_not_json_or_too_large_is_rejected() {
    let limits = Limits { body: 1000, ..Limits::default() };
    let server = Running::start(Config { limits, ..Config::default() });
    let json = [("content-type", "application/json")];
    let large = format!("{{\"prompt\": \"{}\"}}", "x".repeat(1000));
    for (headers, body, status, message) in [
        (&json[..], "", 400, "not JSON"),
        (&json, "{\"prompt\": ", 400, "not JSON"),
        (&json, "{\"prompt\": \"a\"} x", 400, "continues after its JSON"),
        (&json, "{\"prompt\": 1e999}", 400, "not JSON"),
        (&json, "{\"prompt\": \"a\", \"prompt\": \"b\"}", 400, "duplicate field"),
        (&json, "[1]", 400, "invalid type"),
        (&json, "{}", 400, "missing field `prompt`"),
        (&json, &*"[".repeat(900), 400, "invalid type: sequence"),
        (&json, &*large, 413, "larger than the 1000 bytes"),
        (&[("content-type", "text/plain")], "{\"prompt\": \"a\"}", 415, "application/json"),
        (&[], "{\"prompt\": \"a\"}", 415, "application/json"),
    ] {
        let reply = server.send("POST", "/v1/completions", headers, body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        assert!(reply.message().contains(message), "{body}: {}", reply.message());
    }
    // A body without a length that is too large.
    let head = "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                connection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let reply =
        crate::support::Reply::new(&server.raw(format!("{head}7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2000)).as_bytes()));
    assert_eq!((reply.status, reply.message().contains("1000 bytes")), (413, true));
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/v1/completions", 405),
        ("DELETE", "/health", 405),
        ("GET", "/v1/models/x", 404),
    ] {
        let reply = server.send(method, path, &[], "");
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(!reply.message().is_empty());
        assert_eq!(status == 405, reply.header("allow").is_some(), "{method} {path}");
    }
}

#[test]
fn a_page_of_another_name_or_origin_may_not_call() {
    let server = Running::start(Config { hosts: vec!["box.lan".into()], ..Config::default() });
    let port = server.addr.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("box.lan".into(), 200),
        ("evil.example".into(), 403),
        (format!("127.0.0.1.evil.example:{port}"), 403),
        ("192.168.1.9".into(), 403),
    ] {
        let reply = server.send("GET", "/health", &[("host", &host)], "");
        assert_eq!(reply.status, status, "{host}");
        assert!(status == 200 || reply.message().contains("--allow-host"), "{host}: {}", reply.text());
    }
    let absolute = "GET http://evil.example/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(crate::support::Reply::new(&server.raw(absolute.as_bytes())).status, 403);
    let two = "GET /health HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(crate::support::Reply::new(&server.raw(two.as_bytes())).status, 400);
    for (origin, status) in
        [("http://localhost", 200), ("http://evil.example", 403), ("null", 403), ("https://localhost", 403)]
    {
        let reply = server.send("GET", "/health", &[("origin", origin)], "");
        assert_eq!(reply.status, status, "{origin}");
        // Other origins get no permission.
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let origins = vec!["https://page.example".into()];
    let open = Running::start(Config { origins, key: Some(Key::new(KEY).unwrap()), ..Config::default() });
    // A preflight request has no key, and the page can read why a request was rejected.
    let asks = [("origin", "https://page.example"), ("access-control-request-method", "POST")];
    let reply = open.send("OPTIONS", "/v1/completions", &asks, "");
    assert_eq!((reply.status, reply.header("access-control-allow-methods")), (200, Some("GET,POST")));
    let reply = open.send("GET", "/v1/models", &asks, "");
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (401, Some("https://page.example")));
    let reply = open.send("GET", "/health", &[("origin", "https://page.example")], "");
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, Some("https://page.example")));
    assert_eq!(open.send("GET", "/health", &[("origin", "https://other.example")], "").status, 403);
    let bad = Config { origins: vec!["*".into()], ..Config::default() };
    let error = Server::bind(model("stories-byte"), bad, "127.0.0.1:0".parse().unwrap()).err().unwrap();
    assert!(error.to_string().contains("https://example.org"), "{error}");
}

#[test]
fn without_the_key_nothing_is_generated_or_disclosed() {
    let server = Running::start(Config { key: Some(Key::new(KEY).unwrap()), ..Config::default() });
    let body = json!({"prompt": "a", "max_tokens": 1}).to_string();
    let with = |authorization: &str, path: &str| {
        let headers = [("content-type", "application/json"), ("authorization", authorization)];
        let method = if path == "/v1/completions" { "POST" } else { "GET" };
        server.send(method, path, &headers, if method == "POST" { &body } else { "" })
    };
    let right = format!("Bearer {KEY}");
    for path in ["/v1/completions", "/v1/models", "/metrics"] {
        assert_eq!(with(&right, path).status, 200, "{path}");
        for wrong in ["Bearer", "Bearer ", "Bearer x", "Basic x", KEY, &right[..right.len() - 1], &format!("{right}x")]
        {
            let reply = with(wrong, path);
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{path} {wrong}");
        }
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_key_file_that_others_can_read_is_rejected() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let key = Key::from_file(&path);
        assert_eq!(key.is_ok(), good, "{mode:o}");
        assert!(good || key.unwrap_err().to_string().contains(&format!("chmod 600 {}", path.display())));
    }
    assert!(Key::from_file(&folder.path().join("none")).unwrap_err().to_string().contains("cannot read"));
    for bad in ["", "short", "a key with spaces in it", "schlüssel-mit-umlaut"] {
        assert!(Key::new(bad).unwrap_err().to_string().contains("16 or more"), "{bad}");
    }
}

#[test]
fn a_port_in_use_is_reported_with_its_program() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let error = Server::bind(model("stories-byte"), Config::default(), addr).err().unwrap().to_string();
    assert!(error.contains(&addr.to_string()) && error.contains("--port 0"), "{error}");
    if cfg!(target_os = "linux") {
        assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
    }
}

#[test]
fn a_server_without_a_tokenizer_or_slots_does_not_start() {
    let addr = "127.0.0.1:0".parse().unwrap();
    let small = synthetic(&Preset::by_name("small").unwrap().config(), 1, Version::V1_2);
    let error = Server::bind(Model::from_bytes(&small).unwrap(), Config::default(), addr).err().unwrap();
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
    let long = std::time::Duration::MAX;
    for (limits, said) in [
        (Limits { slots: 0, ..Limits::default() }, "slots is 0: it must be from 1 to 65536"),
        (Limits { slots: usize::MAX, ..Limits::default() }, "slots"),
        (Limits { queue: usize::MAX, ..Limits::default() }, "queued requests"),
        (Limits { max_tokens: 0, ..Limits::default() }, "tokens of an answer"),
        (Limits { answer_time: long, ..Limits::default() }, "at most a year"),
    ] {
        let error = Server::bind(model("stories-byte"), Config { limits, ..Config::default() }, addr).err().unwrap();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_full_queue_answers_429_with_retry_after() {
    let limits = Limits { slots: 1, queue: 1, ..crate::support::limits() };
    let server = Running::start(Config { limits, ..Config::default() });
    let endless = json!({"prompt": "a", "max_tokens": 5_000_000, "ignore_end": true});
    let occupy = || {
        let mut stream = server.connect();
        stream.write_all(completion(&endless).as_bytes()).unwrap();
        stream
    };
    let makes = occupy();
    server.wait_for_taken(1);
    let waits = occupy();
    server.wait_for("bitstate_requests_queued", 1.0);
    let reply = server.post("/v1/completions", &json!({"prompt": "a"}));
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")), "{}", reply.text());
    assert_eq!(server.get("/health").status, 200);
    drop((makes, waits));
    server.complete(&json!({"prompt": "a"}));
}

#[test]
fn answers_that_nobody_takes_do_not_fill_the_memory() {
    let limits = Limits { memory: 32 << 20, max_tokens: 100_000, ..Limits::default() };
    let server = Running::start(Config { limits, ..Config::default() });
    let reply = server.post("/v1/completions", &json!({"prompt": "a", "max_tokens": 90_000, "n": 2}));
    assert_eq!((reply.status, reply.json()["error"]["param"].as_str()), (400, Some("max_tokens")));
    assert!(reply.message().contains("holds 33554432"), "{}", reply.message());
    // An answer that fills the memory and is not read: its slot is freed, its memory only when it is read or aborted.
    let mut stream = server.connect();
    // With probabilities, because text alone would fit into the buffers of the connection.
    let large = json!({
        "prompt": "a", "max_tokens": 43_600, "ignore_end": true, "stream": true, "seed": 1, "logprobs": 5
    });
    stream.write_all(completion(&large).as_bytes()).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    server.wait_for("bitstate_requests_complete_total", 1.0);
    assert_eq!(server.taken(), 0);
    assert!(server.metric("bitstate_answer_bytes") > 32e6);
    let mut waits = server.connect();
    waits.write_all(completion(&json!({"prompt": "a", "max_tokens": 4096})).as_bytes()).unwrap();
    server.wait_for("bitstate_requests_queued", 1.0);
    let taken = String::from_utf8(crate::support::read_all(&mut stream)).unwrap();
    assert!(taken.contains("data: [DONE]"));
    assert_eq!(crate::support::Reply::new(&crate::support::read_all(&mut waits)).status, 200);
    server.wait_for("bitstate_answer_bytes", 0.0);
}

#[test]
fn an_answer_that_takes_too_long_is_cut_and_says_so() {
    let limits = Limits { answer_time: std::time::Duration::from_millis(300), ..crate::support::limits() };
    let server = Running::start(Config { limits, ..Config::default() });
    let endless = |stream| json!({"prompt": "a", "max_tokens": 5_000_000, "ignore_end": true, "stream": stream});
    let reply = server.post("/v1/completions", &endless(false));
    assert_eq!((reply.status, reply.message().contains("fewer tokens")), (504, true));
    // In a stream, the error is the last event.
    let (chunks, done) = crate::support::events(&server.post("/v1/completions", &endless(true)).text());
    let (last, others) = chunks.split_last().unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("fewer tokens") && !done, "{last}");
    assert!(!others.is_empty() && others.iter().all(|chunk| chunk["error"] == Value::Null));
    server.wait_for_taken(0);
}

#[test]
fn a_connection_stays_open_after_an_error() {
    let server = Running::start(Config::default());
    let mut stream = server.connect();
    let keep = request("POST", "/v1/completions", &[("content-type", "application/json")], "{}")
        .replace("connection: close\r\n", "");
    stream.write_all(keep.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 400");
    stream.write_all(request("GET", "/health", &[], "").as_bytes()).unwrap();
    let rest = String::from_utf8(crate::support::read_all(&mut stream)).unwrap();
    assert!(rest.contains("HTTP/1.1 200"), "{rest}");
}
