//! What a record says, whatever its notation.

use super::table::{KINDS, Kind, Question, Style};
use std::fmt;

/// A device, such as `P12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Its letter.
    pub letter: char,
    /// Its number, of two digits.
    pub number: u16,
}

/// A time of day in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub u16);

/// A reading or a limit in tenths of the unit, with its digits after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// Tenths.
    pub tenths: u16,
    /// 0 or 1.
    pub decimals: usize,
}

/// A reading with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Its place in [`KINDS`].
    pub kind: usize,
    /// `None` if it is missing.
    pub value: Option<Number>,
    /// The limit.
    pub limit: Number,
}

/// What a line states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// One or two readings.
    Readings(Vec<Reading>),
    /// Whether a door is open.
    Door(bool),
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub time: Time,
    /// The device.
    pub tag: Tag,
    /// What it states.
    pub what: What,
}

/// What is asked of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Nothing: the state of the device.
    Monitor,
    /// A question.
    Ask(Question),
    /// A text.
    Write(Style),
    /// Anything else, as it was put, with its `?` or `!`.
    Other(String),
}

/// Lines and the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The lines, oldest first; one that is repeated stands twice.
    pub lines: Vec<Line>,
    /// The task.
    pub task: Task,
}

impl Reading {
    /// The quantity.
    pub fn kind(&self) -> &'static Kind {
        &KINDS[self.kind]
    }

    /// Whether the reading is at its limit or beyond; `None` if it is missing.
    pub fn is_alarm(&self) -> Option<bool> {
        let (value, limit) = (self.value?.tenths, self.limit.tenths);
        Some(if self.kind().alarm_above { value >= limit } else { value <= limit })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.letter, self.number)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decimals {
            0 => write!(f, "{}", self.tenths / 10),
            _ => write!(f, "{}.{}", self.tenths / 10, self.tenths % 10),
        }
    }
}
