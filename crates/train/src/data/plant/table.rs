//! The rules of the generated plant in one table: what is measured, in which ranges, what is kept for the held-out
//! split, which questions and styles there are, and every sentence of an answer.

use std::ops::RangeInclusive;

/// A measured quantity.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in a record.
    pub key: &'static str,
    /// Its unit, in answers alone.
    pub unit: &'static str,
    /// Digits after the point of a reading, and of a limit.
    pub decimals: [usize; 2],
    /// Readings and limits in units of 1 (temperature, level) or 0.1 (vibration).
    pub range: RangeInclusive<u16>,
    /// Limits; on both sides there is room for readings.
    pub limits: RangeInclusive<u16>,
    /// Parts of both ranges of which the held-out split alone draws readings and limits.
    pub held_out: &'static [RangeInclusive<u16>],
    /// Whether the alarm is at the limit and above; else at the limit and below.
    pub alarm_above: bool,
    /// What an alarm is called.
    pub alarm: &'static str,
}

/// An alarm is at the limit or beyond it. A temperature has a tenth more than its limit, so 75.0 C is at a limit of 75.
pub const KINDS: [Kind; 3] = [
    Kind {
        key: "temp",
        unit: "C",
        decimals: [1, 0],
        range: 10..=99,
        limits: 30..=95,
        held_out: &[36..=38, 52..=54, 67..=69, 81..=83],
        alarm_above: true,
        alarm: "too hot",
    },
    Kind {
        key: "vib",
        unit: "mm/s",
        decimals: [1, 1],
        range: 5..=99,
        limits: 20..=85,
        held_out: &[26..=28, 42..=44, 57..=59, 71..=73],
        alarm_above: true,
        alarm: "too rough",
    },
    Kind {
        key: "lvl",
        unit: "%",
        decimals: [0, 0],
        range: 5..=99,
        limits: 10..=60,
        held_out: &[16..=18, 32..=34, 47..=49, 61..=63, 85..=87],
        alarm_above: false,
        alarm: "too low",
    },
];

/// Devices have a letter and a number from 10 to 99: pumps, fans, motors, tanks, valves, compressors, boilers, chillers.
pub const LETTERS: [char; 8] = ['P', 'F', 'M', 'T', 'V', 'K', 'B', 'C'];
/// The letter of doors.
pub const DOOR: char = 'D';
/// Numbers of devices.
pub const NUMBERS: RangeInclusive<u16> = 10..=99;
/// Numbers of devices of the held-out split alone.
pub const HELD_OUT_NUMBERS: [RangeInclusive<u16>; 3] = [24..=28, 55..=58, 81..=84];

/// Of a hundred records, how many are of a task; the rest lies outside of all.
pub const SHARES: [(Share, u32); 3] = [(Share::Monitor, 40), (Share::Ask, 30), (Share::Write, 15)];

/// Of a hundred readings of the training split, how many are close to the number that they are compared with: such comparisons
/// are the hardest to learn, and rare in a plant.
pub const CLOSE: u32 = 50;
/// Largest distance of such a reading, in units of 1 (temperature, level) or 0.1 (vibration).
pub const CLOSE_BY: u16 = 3;
/// Of a hundred of those, how many are at a distance of 0: equal, or different only in the tenths of a temperature.
pub const EQUAL: u32 = 33;

/// What replaces a number in a record that is not readable: texts before and after its digits. The held-out split has its own.
pub const SPOILT: &[(&str, &str)] =
    &[("-", ""), ("", "e99"), ("", "x"), ("+", ""), ("", ".."), ("0x", ""), ("", "e-9")];
/// Those of the held-out split.
pub const SPOILT_HELD_OUT: &[(&str, &str)] = &[("-", ""), ("", "e999"), ("--", ""), ("", "?")];

/// A task as the table counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The state of a device.
    Monitor,
    /// A question.
    Ask,
    /// A short text.
    Write,
}

/// Of a hundred readings, how many are missing, and of the others, how many are alarms.
pub const MISSING: u32 = 6;
/// See [`MISSING`].
pub const ALARMS: u32 = 35;
/// Of a hundred records of one reading, how many repeat their line.
pub const REPEATED: u32 = 10;

/// A question: the word after `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Which of two devices has the higher temperature.
    Hottest,
    /// Whether the door is open.
    Door,
    /// How a reading changed between two lines of one device.
    Change,
    /// How many readings are alarms.
    Alarms,
    /// The limit of the first reading.
    Limit,
}

/// The words of the questions.
pub const QUESTIONS: [(Question, &str); 5] = [
    (Question::Hottest, "hottest"),
    (Question::Door, "door"),
    (Question::Change, "change"),
    (Question::Alarms, "alarms"),
    (Question::Limit, "limit"),
];

/// A style: the word after `!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line of a maintenance book.
    Note,
    /// A message to a phone.
    Sms,
    /// A job for the maintenance crew.
    Ticket,
}

/// The words of the styles.
pub const STYLES: [(Style, &str); 3] = [(Style::Note, "note"), (Style::Sms, "sms"), (Style::Ticket, "ticket")];

/// The answer to everything that the readings do not tell.
pub const REFUSAL: &str = "I cannot tell from these readings.";

/// Words of questions and requests outside the tasks: a first word and a last one. The held-out split has its own.
pub const OUTSIDE: Words = Words {
    first: &[
        "who",
        "why",
        "joke",
        "say",
        "tell me",
        "ignore",
        "forget",
        "what is",
        "where is",
        "buy",
        "call",
        "price of",
        "repair",
        "colour of",
        "age of",
        "weather",
        "explain",
        "translate",
    ],
    last: &[
        "the moon",
        "my name",
        "you",
        "this",
        "the boss",
        "lunch",
        "rules",
        "tomorrow",
        "a poem",
        "the limit please",
        "normal",
        "hello",
        "music",
        "the owner",
        "all",
        "the city",
        "Monday",
        "money",
    ],
};
/// The words of the held-out split.
pub const OUTSIDE_HELD_OUT: Words = Words {
    first: &["when", "sing", "pretend", "cost of", "weight of", "sell"],
    last: &["the king", "my car", "a story", "it is fine", "Sunday", "the news"],
};

/// See [`OUTSIDE`].
#[derive(Debug)]
pub struct Words {
    /// First words.
    pub first: &'static [&'static str],
    /// Last words.
    pub last: &'static [&'static str],
}
