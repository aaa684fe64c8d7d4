//! A chat: a session, its turns, and its branches.

use crate::generate::answer::{Answer, answer};
use crate::recipe::End;
use anyhow::{Context, Result, ensure};
use bitstate::{Alternative, Ended, Model, Sampling, Session, Stop};
use std::collections::VecDeque;
use std::path::Path;

/// Number of turns that can be undone; each keeps two sessions.
const TURNS: usize = 32;

/// A message and its answer.
#[derive(Clone)]
struct Turn {
    /// The sessions before and after the message.
    before: Session,
    asked: Session,
    answer: Vec<u32>,
    /// How often the answer was regenerated.
    again: u64,
}

/// A session with its last turns.
#[derive(Clone)]
struct Branch {
    session: Session,
    turns: VecDeque<Turn>,
}

/// A chat with a model.
pub struct Talk {
    branches: Vec<Branch>,
    at: usize,
}

/// A generated token and its alternatives.
pub struct Why {
    pub token: u32,
    pub alternatives: Vec<Alternative>,
}

impl Talk {
    pub fn new(session: Session) -> Self {
        Talk { branches: vec![Branch { session, turns: VecDeque::new() }], at: 0 }
    }

    fn branch(&mut self) -> &mut Branch {
        &mut self.branches[self.at]
    }

    pub fn session(&self) -> &Session {
        &self.branches[self.at].session
    }

    pub fn model(&self) -> &Model {
        self.session().model()
    }

    pub fn turns(&self) -> usize {
        self.branches[self.at].turns.len()
    }

    /// The number of the current branch, from 1, and how many there are.
    pub fn place(&self) -> (usize, usize) {
        (self.at + 1, self.branches.len())
    }

    /// Appends a message, which may be empty to continue, and answers.
    pub fn say(&mut self, message: &str, stop: Stop, show: impl FnMut(&str) -> Result<()>) -> Result<End> {
        let branch = self.branch();
        let before = branch.session.clone();
        if let Err(error) = take_in(&mut branch.session, message) {
            branch.session = before;
            return Err(error);
        }
        let asked = branch.session.clone();
        branch.turns.push_back(Turn { before, asked, answer: Vec::new(), again: 0 });
        if branch.turns.len() > TURNS {
            branch.turns.pop_front();
        }
        branch.answer(stop, show)
    }

    /// Removes the last message and its answer.
    pub fn undo(&mut self) -> Result<()> {
        let turn = self.branch().turns.pop_back().context("there is nothing to undo")?;
        self.branch().session = turn.before;
        Ok(())
    }

    /// Answers the last message again, with the next seed.
    pub fn again(&mut self, stop: Stop, show: impl FnMut(&str) -> Result<()>) -> Result<End> {
        let branch = self.branch();
        let turn = branch.turns.back_mut().context("there is no answer to regenerate")?;
        turn.again += 1;
        let mut sampling = turn.asked.sampling().clone();
        sampling.seed = sampling.seed.wrapping_add(turn.again);
        let mut session = turn.asked.clone();
        session.set_sampling(sampling)?;
        branch.session = session;
        branch.answer(stop, show)
    }

    /// Starts a branch here and switches to it.
    pub fn fork(&mut self) {
        let branch = self.branches[self.at].clone();
        self.branches.push(branch);
        self.at = self.branches.len() - 1;
    }

    /// Switches to the branch `number`, from 1.
    pub fn go_to(&mut self, number: usize) -> Result<()> {
        let most = self.branches.len();
        ensure!((1..=most).contains(&number), "there is no branch {number}: give one from 1 to {most}");
        self.at = number - 1;
        Ok(())
    }

    /// Replaces the session.
    pub fn load(&mut self, session: Session) {
        *self.branch() = Branch { session, turns: VecDeque::new() };
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        Ok(self.session().save(path)?)
    }

    pub fn set_sampling(&mut self, sampling: Sampling) -> Result<()> {
        Ok(self.branch().session.set_sampling(sampling)?)
    }

    /// The last `n` tokens of the last answer, each with its `alternatives` likeliest alternatives.
    pub fn why(&self, n: usize, alternatives: usize) -> Result<Vec<Why>> {
        let turn = self.branches[self.at].turns.back().filter(|turn| !turn.answer.is_empty());
        let turn = turn.context("there is no answer to explain")?;
        let (before, last) = turn.answer.split_at(turn.answer.len().saturating_sub(n));
        let mut session = turn.asked.clone();
        if !before.is_empty() {
            session.feed(before)?;
        }
        let mut whys = Vec::new();
        for &token in last {
            whys.push(Why { token, alternatives: session.alternatives(alternatives)? });
            session.feed(&[token])?;
        }
        Ok(whys)
    }
}

impl Branch {
    fn answer(&mut self, stop: Stop, mut show: impl FnMut(&str) -> Result<()>) -> Result<End> {
        let mut tokens = Vec::new();
        let answered = answer(&mut self.session, stop, |token, shown| {
            tokens.push(token.id);
            show(shown)
        });
        if let Some(turn) = self.turns.back_mut() {
            turn.answer = tokens;
        }
        let Answer { ended, held, .. } = answered?;
        // A stopped text does not end in the middle of a character.
        let rest = if ended == End::Interrupted { String::new() } else { self.session.finish_text() };
        show(&(held + &rest))?;
        Ok(ended)
    }
}

/// Appends a message to the text, with a space between two words. After an end of text, the message starts a new one.
fn take_in(session: &mut Session, message: &str) -> Result<()> {
    if let Some(&Ended::Token(end)) = session.ended() {
        session.feed(&[end])?;
    } else if session.position() > 0 && !message.is_empty() {
        let words = |text: &str| text.ends_with(|last: char| !last.is_whitespace());
        let joined = session.last_text().is_some_and(|text| words(&text)) && !message.starts_with(char::is_whitespace);
        return Ok(session.feed_text(&if joined { format!(" {message}") } else { message.to_string() })?);
    }
    if !message.is_empty() || session.position() == 0 {
        session.feed_text(message)?;
    }
    Ok(())
}
