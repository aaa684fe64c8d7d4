//! `chat`, with a script and on a terminal.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bitstate::{Model, Sampling, Session, Stop};
use std::fs;
use support::{BYTE, Folder, Ran};

/// Runs a chat with these lines.
fn chat(folder: &Folder, flags: &str, lines: &[&str]) -> Ran {
    folder.with_input(&format!("chat --model {BYTE} --max-tokens 12 {flags}"), (lines.join("\n") + "\n").as_bytes())
}

fn session(folder: &Folder, seed: u64) -> Session {
    let model = Model::open(folder.path().join(BYTE)).unwrap();
    model.session(model.sampling(seed)).unwrap()
}

fn say(session: &mut Session, message: &str) -> String {
    session.feed_text(message).unwrap();
    let text: String = session.text(Stop::new().max_tokens(12)).map(Result::unwrap).collect();
    text + &session.finish_text() + "\n"
}

#[test]
fn a_script_gets_no_prompt_and_only_answers_are_printed() {
    let folder = Folder::new();
    let mut alone = session(&folder, 3);
    let first = say(&mut alone, "Once upon");
    let joined = |text: &str| !text.trim_end_matches('\n').ends_with(char::is_whitespace);
    let second = say(&mut alone, &format!("{}a time", if joined(&first) { " " } else { "" }));
    let third = say(&mut alone, " two\n lines");
    let lines = ["Once upon", "", "a time", "/show", "/?", "\"\"\" two", " lines\"\"\""];
    let ran = chat(&folder, "--seed 3", &lines);
    assert!(ran.success, "{ran:?}");
    assert_eq!(ran.out, [first, second, third].concat());
    assert!(ran.err.contains("temperature") && ran.err.contains("/regen"), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}') && !ran.err.contains(">>>"), "no colours and no prompt: {}", ran.err);
}

#[test]
fn undo_regen_and_fork_restore_the_right_state() {
    let folder = Folder::new();
    let once = say(&mut session(&folder, 3), "Once");
    let again = say(&mut session(&folder, 4), "Once");
    let third = say(&mut session(&folder, 5), "Once");
    let other = say(&mut session(&folder, 3), "Twice");
    assert!(once != again && once != other);
    let out = |lines: &[&str]| {
        let ran = chat(&folder, "--seed 3", lines);
        assert!(ran.success, "{ran:?}");
        ran.out
    };
    assert_eq!(out(&["Once", "/undo", "Twice"]), once.clone() + &other);
    assert_eq!(out(&["Once", "/regen", "/regen", "/undo", "Once"]), [&once[..], &again, &third, &once].concat());
    // Two independent branches.
    let both = out(&["Once", "/fork", "/undo", "Twice", "/fork 1", "/undo", "Once", "/fork 2", "/more"]);
    let mut twice = session(&folder, 3);
    let twice_text = say(&mut twice, "Twice");
    let more: String = twice.text(Stop::new().max_tokens(12)).map(Result::unwrap).collect();
    assert_eq!(both, [&once[..], &twice_text, &once, &more, &twice.finish_text(), "\n"].concat());
    assert_eq!(out(&["Once", "/set seed 4", "/clear", "Once"]), once.clone() + &again);
    assert_eq!(
        out(&["/set parameter temperature 0", "/set max_tokens 1", "Once", "/bye", "Twice"]).trim_end().chars().count(),
        1
    );
}

#[test]
fn a_chat_is_saved_and_loaded() {
    let folder = Folder::new();
    let whole = chat(&folder, "--seed 3", &["Once", "upon"]).out;
    let first = chat(&folder, "--seed 3", &["Once", "/save a.session"]);
    let second = chat(&folder, "--seed 9", &["x", "/load a.session", "upon"]);
    let answers = second.out.lines().count();
    assert!(first.err.contains("saved a.session") && answers > 1, "{first:?}");
    let x = say(&mut session(&folder, 9), "x");
    assert_eq!(second.out.strip_prefix(&x).unwrap(), whole.strip_prefix(&first.out).unwrap());
    // The chat is readable in the file.
    assert!(folder.stdout("state text a.session").starts_with("Once"));
    let on = chat(&folder, "--session a.session", &["upon"]);
    assert_eq!(on.out, whole.strip_prefix(&first.out).unwrap());
}

#[test]
fn why_lists_alternatives() {
    let folder = Folder::new();
    let ran = chat(&folder, "--seed 3", &["/set temperature 0", "Once", "/why 2"]);
    assert!(ran.success, "{ran:?}");
    let mut alone = session(&folder, 3);
    alone.set_sampling(Sampling::greedy()).unwrap();
    alone.feed_text("Once").unwrap();
    let tokens: Vec<_> = alone.tokens(Stop::new().max_tokens(12).alternatives(5)).map(Result::unwrap).collect();
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.err);
    let model = alone.model().clone();
    for (line, token) in lines.iter().zip(&tokens[10..]) {
        let text = |id| format!("{:?}", model.tokenizer().unwrap().decode(&[id]));
        assert!(line.trim_start().starts_with(&text(token.id)), "{line}");
        for alternative in &token.alternatives {
            let part = format!("{} {:.1} %", text(alternative.token), alternative.logprob.exp() * 100.0);
            assert!(line.contains(&part), "{part}: {line}");
        }
    }
}

#[test]
fn an_error_in_a_script_ends_it_and_names_the_line() {
    let folder = Folder::new();
    fs::write(folder.path().join("no.session"), "{}").unwrap();
    for (line, part) in [
        ("/nonsense", "unknown command /nonsense"),
        ("/undo", "nothing to undo"),
        ("/regen", "no answer to regenerate"),
        ("/why", "no answer to explain"),
        ("/fork 2", "there is no branch 2"),
        ("/set temperature -1", "a number from 0"),
        ("/set colour red", "unknown setting \"colour\""),
        ("/set seed", "a name and a value"),
        ("/load no.session", "not a session file"),
        ("/load none", "cannot read the session none"),
        ("/save nowhere/x", "cannot write into nowhere"),
        ("/save", "the name of a file"),
        ("/bye now", "takes no argument"),
        ("\"\"\"open", "must end with \"\"\""),
    ] {
        let ran = chat(&folder, "--seed 3", &["/set max_tokens 1", line]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{line}: {ran:?}");
        let place = format!("error: line {} of standard input: ", if line.starts_with('"') { 3 } else { 2 });
        assert!(ran.err.starts_with(&place) && ran.err.contains(part), "{line}: {}", ran.err);
    }
    let wrong = folder.with_input(&format!("chat --model {BYTE}"), b"a\xff\n");
    assert!(wrong.code == Some(2) && wrong.err.contains("line 1 of standard input"), "{wrong:?}");
}

/// On a terminal there is a prompt, an error does not end the chat, Ctrl-C ends only an answer, and Ctrl-D ends the chat.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_has_a_prompt() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::{Read, Write};
    let folder = Folder::new();
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let command = folder.command(&format!("chat --model {BYTE} --seed 3 --ignore-end --max-tokens 4000000000"));
    // A new session, with this terminal.
    let mut shell = std::process::Command::new("setsid");
    shell
        .arg("--ctty")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(folder.path())
        .env("TERM", "xterm");
    let end = || fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
    let mut child = shell.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    // The child's ends of the terminal.
    drop(shell);
    let mut terminal = fs::File::from(controller);
    let (mut seen, mut at) = (String::new(), 0);
    // Reads until this text; if it never appears, the child and thus the terminal ends.
    let mut until = |terminal: &mut fs::File, part: &str| {
        while !seen[at..].contains(part) {
            let mut bytes = [0; 4096];
            let read = terminal.read(&mut bytes).unwrap_or_else(|error| panic!("no {part:?}: {error}: {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        at += seen[at..].find(part).unwrap() + part.len();
    };
    until(&mut terminal, ">>> ");
    terminal.write_all(b"/nonsense\r").unwrap();
    until(&mut terminal, "unknown command /nonsense");
    until(&mut terminal, ">>> ");
    terminal.write_all(b"Once\r").unwrap();
    until(&mut terminal, "Once");
    until(&mut terminal, "\r\n");
    // An endless answer: Ctrl-C stops it.
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.write_all(b"\x03").unwrap();
    until(&mut terminal, ">>> ");
    terminal.write_all(b"/show\r").unwrap();
    until(&mut terminal, "1 turns to undo");
    until(&mut terminal, ">>> ");
    terminal.write_all(b"\x04").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
