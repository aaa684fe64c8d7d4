//! Measures a server under load: `cargo run --release -p bitstate-serve --example load -- [FLAGS]`.
//!
//! `--model FILE` (default: a seeded model of the shape `default`), `--clients N` (64), `--seconds S` for each part of a
//! round (3), `--rounds N` (3), `--threads N` for generation (one per core), `--soak MINUTES` (0).
//!
//! All parts are interleaved, so what is compared was measured in the same run: the library alone, one client, many clients.
//! Then the time to the first token with 8 clients, the time until slots are free after clients disconnect, and, with
//! `--soak`, memory over minutes.

use bitstate::bits::{Preset, Version, synthetic};
use bitstate::tokenizer::Tokenizer;
use bitstate::{Model, Stop};
use bitstate_serve::{Config, Limits, Server};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Tokens per answer.
const TOKENS: u64 = 256;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Flags {
    model: Option<String>,
    clients: usize,
    seconds: u64,
    rounds: usize,
    soak: u64,
    threads: usize,
}

fn flags() -> Result<Flags> {
    let mut flags = Flags { model: None, clients: 64, seconds: 3, rounds: 3, soak: 0, threads: 0 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--model" => flags.model = Some(value),
            "--clients" => flags.clients = value.parse()?,
            "--seconds" => flags.seconds = value.parse()?,
            "--rounds" => flags.rounds = value.parse()?,
            "--threads" => flags.threads = value.parse()?,
            "--soak" => flags.soak = value.parse()?,
            _ => return Err(format!("unknown flag {name}").into()),
        }
    }
    Ok(flags)
}

fn model(flags: &Flags) -> Result<Model> {
    let builder = Model::builder().for_many_sessions();
    Ok(match &flags.model {
        Some(path) => builder.open(path)?,
        None => {
            let bytes = synthetic(&Preset::by_name("default")?.config(), 1, Version::V1_2);
            builder.tokenizer(Tokenizer::byte()).from_bytes(&bytes)?
        }
    })
}

fn main() -> Result<()> {
    let flags = flags()?;
    let model = model(&flags)?;
    let limits = Limits { max_tokens: 1_000_000, memory: 16 << 30, ..Limits::default() };
    let config = Config { limits, threads: flags.threads, ..Config::default() };
    let server = Server::bind(model.clone(), config, "127.0.0.1:0".parse()?)?;
    let (addr, threads) = (server.addr(), server.threads());
    println!("{} tokens, {}, {threads} generation threads", model.config().vocab_size, model.variant().name());
    let (stop, told) = tokio::sync::oneshot::channel::<()>();
    let running = std::thread::spawn(move || server.run(async { drop(told.await) }));
    let time = Duration::from_secs(flags.seconds);
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for round in 1..=flags.rounds {
        let library = by_library(&model, time)?;
        let [single, all] = [1, flags.clients].map(|clients| by_clients(addr, clients, time));
        let (single, all) = (single?, all?);
        println!(
            "round {round}: library {library:.0}, one client {single:.0}, {} clients {all:.0} tokens/s",
            flags.clients
        );
        one.push(single / library);
        many.push(all / single);
    }
    println!("one client gets {:.2} of the library's tokens/s (median of rounds)", median(&mut one));
    println!("{} clients get {:.2} times one client's tokens/s together", flags.clients, median(&mut many));
    let mut firsts = first_tokens(addr, 8, time)?;
    println!(
        "first token of a short prompt at 8 clients: median {:.1} ms, largest {:.1} ms",
        median(&mut firsts),
        firsts.last().copied().unwrap_or_default()
    );
    for (name, stream, prompt) in
        [("streaming", true, 4), ("waiting", false, 4), ("streaming, in the prompt", true, 15_000)]
    {
        println!(
            "{} clients disconnect, {name}: slots free after {:.1} ms",
            flags.clients,
            leave(addr, flags.clients, stream, prompt)?
        );
    }
    for minute in 1..=flags.soak {
        let tokens = by_clients(addr, flags.clients, Duration::from_secs(60))?;
        println!("minute {minute}: {tokens:.0} tokens/s, RSS {} kB", resident()?);
    }
    drop(stop);
    println!("{}", running.join().map_err(|_| "the server panicked")??);
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Tokens per second of one session.
fn by_library(model: &Model, time: Duration) -> Result<f64> {
    let (start, mut tokens) = (Instant::now(), 0);
    while start.elapsed() < time {
        let mut session = model.session(model.sampling(tokens))?;
        session.feed(&[79, 110, 99, 101])?;
        for token in session.tokens(Stop::new().max_tokens(TOKENS).ignore_end()) {
            token?;
            tokens += 1;
        }
    }
    Ok(tokens as f64 / start.elapsed().as_secs_f64())
}

/// Tokens per second of all clients together; each streams one request after the other.
fn by_clients(addr: SocketAddr, clients: usize, time: Duration) -> Result<f64> {
    let (start, tokens) = (Instant::now(), AtomicU64::new(0));
    let client = |client: usize| -> Result<()> {
        for seed in 0.. {
            if start.elapsed() >= time {
                break;
            }
            let mut stream = ask(addr, true, 4, TOKENS, (client * 10_000 + seed) as u64)?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            if !text.contains("data: [DONE]") {
                return Err(format!("an answer ended early: {text}").into());
            }
            tokens.fetch_add(TOKENS, Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|i| scope.spawn(move || client(i))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a client panicked")?)
    })?;
    Ok(tokens.load(Relaxed) as f64 / start.elapsed().as_secs_f64())
}

/// Milliseconds until the first event.
fn first_tokens(addr: SocketAddr, clients: usize, time: Duration) -> Result<Vec<f64>> {
    let start = Instant::now();
    let client = |client: usize| -> Result<Vec<f64>> {
        let mut firsts = Vec::new();
        while start.elapsed() < time {
            let asked = Instant::now();
            let mut stream = ask(addr, true, 4, TOKENS, (client * 10_000 + firsts.len()) as u64)?;
            let mut seen = Vec::new();
            let mut room = [0; 4096];
            while !seen.windows(6).any(|six| six == b"data: ") {
                let n = stream.read(&mut room)?;
                if n == 0 {
                    return Err("an answer ended early".into());
                }
                seen.extend(&room[..n]);
            }
            firsts.push(asked.elapsed().as_secs_f64() * 1e3);
            stream.read_to_end(&mut seen)?;
        }
        Ok(firsts)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|i| scope.spawn(move || client(i))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a client panicked")??);
        }
        Ok(all)
    })
}

/// Milliseconds from the last disconnect until all slots are free.
fn leave(addr: SocketAddr, clients: usize, stream: bool, prompt: usize) -> Result<f64> {
    let all = (0..clients).map(|seed| ask(addr, stream, prompt, 1_000_000, seed as u64));
    let all: Vec<TcpStream> = all.collect::<Result<_>>()?;
    // Polling without a pause would take a core from the server.
    let pause = || std::thread::sleep(Duration::from_millis(1));
    while taken(addr)? < clients.min(Limits::default().slots) {
        pause();
    }
    let start = Instant::now();
    drop(all);
    while taken(addr)? > 0 {
        pause();
    }
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn ask(addr: SocketAddr, stream: bool, prompt: usize, tokens: u64, seed: u64) -> Result<TcpStream> {
    let prompt: Vec<u8> = [79, 110, 99, 101].into_iter().cycle().take(prompt).collect();
    let body = format!(
        "{{\"prompt\": {prompt:?}, \"max_tokens\": {tokens}, \"seed\": {seed}, \"stream\": {stream}, \"ignore_end\": true}}"
    );
    let length = body.len();
    let mut to = TcpStream::connect(addr)?;
    to.write_all(
        format!(
            "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    )?;
    Ok(to)
}

fn taken(addr: SocketAddr) -> Result<usize> {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let taken = text.split("\"slots_taken\":").nth(1).and_then(|rest| rest.trim_end().strip_suffix('}'));
    Ok(taken.ok_or("no health")?.parse()?)
}

/// Memory of this process in kB, including the clients.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
