//! Each answer is the same alone and in a batch, and its recipe reproduces it.
use crate::support::{Running, by_library, limits, model};
use bitstate::{Sampling, Stop};
use bitstate_serve::Config;
use serde_json::{Value, json};

/// A different request for every number.
fn body(i: u64) -> Value {
    let prompts = ["Once upon a time", "", "The cat", "Tom and Mia went to the park. Grüße"];
    let mut body = json!({"prompt": prompts[i as usize % 4], "max_tokens": 20 + i * 7 % 60, "seed": i});
    match i % 5 {
        0 => body["temperature"] = json!(0),
        1 => body["logprobs"] = json!(3),
        2 => body["n"] = json!(3),
        3 => body["frequency_penalty"] = json!(0.3),
        _ => body["stop"] = json!(["the", "."]),
    }
    body
}

/// The text and digest of each choice of a request.
fn choices_of(server: &Running, i: u64, streamed: bool) -> Vec<(String, String)> {
    let body = body(i);
    let mut came = vec![(String::new(), String::new()); body["n"].as_u64().unwrap_or(1) as usize];
    let chunks = if streamed { server.streamed("/v1/completions", &body) } else { vec![server.complete(&body)] };
    for choice in chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap()) {
        let (text, digest) = &mut came[choice["index"].as_u64().unwrap() as usize];
        *text += choice["text"].as_str().unwrap();
        if let Some(found) = choice["bitstate"]["digest"].as_str() {
            assert!(digest.is_empty(), "one end per choice");
            *digest = found.to_string();
        }
    }
    assert!(came.iter().all(|(_, digest)| digest.len() == 16), "{came:?}");
    came
}

#[test]
fn an_answer_is_the_same_alone_and_in_a_batch() {
    let server = Running::start(Config { limits: limits(), threads: 2, ..Config::default() });
    let alone: Vec<_> = (0..24).map(|i| choices_of(&server, i, false)).collect();
    for round in 0..3 {
        std::thread::scope(|scope| {
            for (i, alone) in (0..).zip(&alone) {
                let server = &server;
                scope.spawn(move || assert_eq!(choices_of(server, i, (i + round) % 2 == 0), *alone, "request {i}"));
            }
        });
    }
    server.wait_for_taken(0);
    assert_eq!(server.metric("bitstate_requests_complete_total"), 96.0);
    assert_eq!(server.metric("bitstate_clients_left_total"), 0.0);
}

#[test]
fn an_answer_equals_the_librarys() {
    for name in ["stories-byte", "stories-bpe4k"] {
        let model = model(name);
        let server = Running::with(model.clone(), Config::default());
        let sampling = Sampling { frequency: 0.25, min_p: 0.02, ..model.sampling(7) };
        let stop = Stop::new().max_tokens(50).text("xyz").ignore_end();
        let (digest, text) = by_library(&model, "Once upon a time", sampling, stop);
        let body = json!({"prompt": "Once upon a time", "seed": 7, "frequency_penalty": 0.25, "min_p": 0.02,
            "max_tokens": 50, "stop": "xyz", "ignore_end": true});
        let choice = &server.complete(&body)["choices"][0];
        assert_eq!(
            (choice["bitstate"]["digest"].as_str().unwrap(), choice["text"].as_str().unwrap()),
            (&*digest, &*text)
        );
        assert_eq!(choice["bitstate"]["model_sha256"], json!(model.sha256()));
        // The same prompt as tokens.
        let mut tokens = body.clone();
        tokens["prompt"] = json!(model.tokenizer().unwrap().encode("Once upon a time").unwrap());
        assert_eq!(server.complete(&tokens)["choices"][0]["bitstate"]["digest"], json!(digest));
        // The same as a chat whose contents are the prompt.
        let mut talk = body;
        talk.as_object_mut().unwrap().remove("prompt");
        talk["messages"] = json!([{"role": "user", "content": "Once upon a time"}]);
        let reply = server.post("/v1/chat/completions", &talk).json();
        assert_eq!(reply["choices"][0]["bitstate"]["digest"], json!(digest));
        assert_eq!(reply["choices"][0]["message"], json!({"role": "assistant", "content": text}));
    }
}

#[test]
fn the_recipe_and_the_prompt_give_the_answer_again() {
    let server = Running::start(Config::default());
    // The seed is random, so only the recipe contains it.
    let body = json!({"prompt": "The dog", "max_tokens": 40, "n": 2, "logit_bias": {"101": -1.5}, "stop": ["!"]});
    let first = server.complete(&body);
    for choice in first["choices"].as_array().unwrap() {
        let mut again = choice["bitstate"]["recipe"].clone();
        again["prompt"] = json!("The dog");
        let again = server.complete(&again);
        let mut expected = choice.clone();
        expected["index"] = json!(0);
        assert_eq!(again["choices"][0], expected);
    }
    assert_ne!(first["choices"][0]["bitstate"]["digest"], first["choices"][1]["bitstate"]["digest"]);
}

#[test]
fn a_prompt_from_the_cache_gives_the_same_answer() {
    let server = Running::start(Config { prompt_cache: 1 << 20, ..Config::default() });
    let cold = Running::start(Config::default());
    let prompts = ["Once upon a time", "Once upon a time there was a girl", "Once upon a time there was a boy"];
    for round in 0..2 {
        for (i, prompt) in (0..).zip(prompts) {
            let body = json!({"prompt": prompt, "seed": i, "max_tokens": 30, "penalty": 1.2, "presence_penalty": 0.1});
            let (warm, cold) = (server.complete(&body), cold.complete(&body));
            assert_eq!(warm["choices"], cold["choices"], "round {round}, {prompt:?}");
            assert_eq!(warm["usage"], cold["usage"]);
        }
    }
    // The second and third start with the first, and the second round finds all.
    let lengths: Vec<f64> = prompts.iter().map(|prompt| prompt.len() as f64).collect();
    let found = 2.0 * lengths[0] + lengths.iter().sum::<f64>();
    assert_eq!(server.metric("bitstate_cached_prompt_tokens_total"), found);
    let bytes = server.metric("bitstate_prompt_cache_bytes");
    assert!(bytes > 0.0 && bytes <= f64::from(1 << 20), "{bytes}");
    assert_eq!(cold.metric("bitstate_cached_prompt_tokens_total"), 0.0);
    assert_eq!(cold.metric("bitstate_prompt_cache_bytes"), 0.0);
}
