//! Streams, probabilities, stop texts, and how a server describes itself.
use crate::support::{Running, model};
use bitstate_serve::Config;
use serde_json::{Value, json};

fn text_of(chunks: &[Value]) -> String {
    let choices = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap());
    choices.map(|choice| choice["text"].as_str().or(choice["delta"]["content"].as_str()).unwrap_or_default()).collect()
}

#[test]
fn a_stream_is_the_answer_in_pieces() {
    let server = Running::start(Config::default());
    let body = json!({"prompt": "Grüße", "max_tokens": 60, "seed": 3, "temperature": 1.5, "top_k": 0, "top_p": 1});
    let whole = server.complete(&body);
    let chunks = server.streamed("/v1/completions", &body);
    assert_eq!(text_of(&chunks), whole["choices"][0]["text"].as_str().unwrap());
    let last = &chunks.last().unwrap()["choices"][0];
    assert_eq!(last["bitstate"], whole["choices"][0]["bitstate"]);
    assert_eq!(last["finish_reason"], whole["choices"][0]["finish_reason"]);
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["usage"] == Value::Null));
    let mut with_usage = body;
    with_usage["stream_options"] = json!({"include_usage": true});
    let chunks = server.streamed("/v1/completions", &with_usage);
    assert_eq!(chunks.last().unwrap()["usage"], whole["usage"]);
    assert_eq!(chunks.last().unwrap()["choices"], json!([]));
}

#[test]
fn a_chat_streams_roles_first() {
    let server = Running::start(Config::default());
    let body = json!({"messages": [{"role": "system", "content": "A story."}, {"role": "user", "content": "Once"}],
        "max_completion_tokens": 30, "seed": 1, "n": 2});
    let whole = server.post("/v1/chat/completions", &body).json();
    let chunks = server.streamed("/v1/chat/completions", &body);
    for index in 0..2 {
        let of = |chunk: &&Value| chunk["choices"][0]["index"] == json!(index);
        let own: Vec<Value> = chunks.iter().filter(of).cloned().collect();
        assert_eq!(own[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
        assert_eq!(text_of(&own), whole["choices"][index]["message"]["content"].as_str().unwrap());
        assert_eq!(own.last().unwrap()["choices"][0]["bitstate"], whole["choices"][index]["bitstate"]);
    }
    // The contents of both messages are the prompt.
    let same = json!({"prompt": "A story.\nOnce", "max_tokens": 30, "seed": 1});
    let same = server.complete(&same);
    assert_eq!(same["choices"][0]["bitstate"]["digest"], whole["choices"][0]["bitstate"]["digest"]);
    assert_eq!(same["usage"]["prompt_tokens"], whole["usage"]["prompt_tokens"]);
}

#[test]
fn a_stop_text_is_never_sent() {
    let server = Running::start(Config::default());
    for seed in 0..20 {
        let body = json!({"prompt": "Once upon a time", "max_tokens": 200, "seed": seed, "stop": ["the", "an"]});
        let chunks = server.streamed("/v1/completions", &body);
        let text = text_of(&chunks);
        assert!(!text.contains("the") && !text.contains("an"), "{text}");
        let mut free = body;
        free["stop"] = json!(null);
        let free = server.complete(&free);
        assert!(free["choices"][0]["text"].as_str().unwrap().starts_with(&text));
        let finish = &chunks.last().unwrap()["choices"][0]["finish_reason"];
        assert_eq!(finish, "stop", "one of them comes in 200 letters");
    }
}

#[test]
fn probabilities_match_the_library() {
    for name in ["stories-byte", "stories-bpe4k"] {
        let model = model(name);
        let server = Running::with(model.clone(), Config::default());
        let body = json!({"prompt": "Once", "max_tokens": 8, "temperature": 0, "logprobs": 4, "ignore_end": true});
        let whole = server.complete(&body)["choices"][0]["logprobs"].clone();
        let mut session = model.session(bitstate::Sampling::greedy()).unwrap();
        session.feed_text("Once").unwrap();
        let tokenizer = model.tokenizer().unwrap();
        for i in 0..8 {
            let alternatives = session.alternatives(4).unwrap();
            let token = session.next_token().unwrap();
            assert_eq!(whole["tokens"][i], json!(tokenizer.decode(&[token])));
            assert_eq!(whole["token_logprobs"][i].as_f64().unwrap() as f32, alternatives[0].logprob);
            let top = whole["top_logprobs"][i].as_object().unwrap();
            assert_eq!(top.len(), 4);
            for other in alternatives {
                let name = tokenizer.decode(&[other.token]);
                assert_eq!(top[&name].as_f64().unwrap() as f32, other.logprob, "{name}");
            }
        }
        let talk = json!({"messages": [{"role": "user", "content": "Once"}], "max_tokens": 8, "temperature": 0,
            "logprobs": true, "top_logprobs": 4, "ignore_end": true});
        let content = server.post("/v1/chat/completions", &talk).json()["choices"][0]["logprobs"]["content"].clone();
        for i in 0..8 {
            assert_eq!(content[i]["token"], whole["tokens"][i]);
            assert_eq!(content[i]["logprob"], whole["token_logprobs"][i]);
            assert_eq!(content[i]["top_logprobs"][0]["logprob"], whole["token_logprobs"][i]);
            let bytes: Vec<u8> = serde_json::from_value(content[i]["bytes"].clone()).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), whole["tokens"][i].as_str().unwrap());
        }
        // The same as a stream.
        let chunks = server.streamed("/v1/completions", &body);
        let pieces: Vec<Value> = chunks
            .iter()
            .flat_map(|chunk| chunk["choices"][0]["logprobs"]["token_logprobs"].as_array().unwrap().clone())
            .collect();
        assert_eq!(json!(pieces), whole["token_logprobs"]);
    }
}

#[test]
fn a_server_describes_itself() {
    let model = model("stories-byte");
    let server = Running::with(model.clone(), Config { name: Some("mine".into()), ..Config::default() });
    let models = server.get("/v1/models").json();
    assert_eq!(models["data"][0]["id"], json!("mine"));
    assert_eq!(models["data"][0]["sha256"], json!(model.sha256()));
    assert_eq!(server.get("/v1/models/mine").json(), models["data"][0]);
    let description = server.get("/openapi.json").json();
    assert_eq!(description["openapi"], json!("3.1.0"));
    for path in ["/v1/completions", "/v1/chat/completions", "/v1/models", "/health", "/metrics"] {
        assert!(description["paths"][path].is_object(), "{path}");
    }
    let fields = &description["components"]["schemas"]["CompletionRequest"]["properties"];
    assert_eq!(fields["max_tokens"]["maximum"], json!(4096));
    for path in ["/", "/docs", "/page.js", "/docs.js", "/page.css"] {
        let reply = server.get(path);
        assert_eq!(reply.status, 200, "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        // There are no external resources.
        assert!(!reply.text().contains("://"), "{path}");
    }
    server.complete(&json!({"prompt": "a", "model": "mine", "max_tokens": 4, "ignore_end": true}));
    let metrics = server.get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    for (name, value) in [
        ("bitstate_generated_tokens_total", 4.0),
        ("bitstate_prompt_tokens_total", 1.0),
        ("bitstate_slots", 64.0),
        ("bitstate_slots_taken", 0.0),
        ("bitstate_first_token_seconds_count", 1.0),
        ("bitstate_answer_seconds_bucket{le=\"+Inf\"}", 1.0),
    ] {
        assert_eq!(server.metric(name), value, "{name}");
    }
    // Every value has a TYPE line before it.
    let text = metrics.text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(text.contains(&format!("# TYPE {family} ")) || text.contains(&format!("# TYPE {name} ")), "{name}");
    }
}
