//! The time of each part of a generated token.

use crate::host::Host;
use crate::regions;
use bitstate_engine::{Observer, Part, Step};
use core::cell::RefCell;

/// Number of parts.
const PARTS: usize = Part::ALL.len();

/// Shares one compiled forward pass among all observers, because code space is limited on a small target.
pub(crate) struct Shared<'a>(pub &'a mut dyn Observer);

impl Observer for Shared<'_> {
    fn step(&mut self, layer: usize, step: Step, output: &[f32]) {
        self.0.step(layer, step, output);
    }

    fn part(&mut self, part: Part) {
        self.0.part(part);
    }
}

/// Ticks between the boundaries of the parts.
pub(crate) struct Profile<'h, H> {
    host: &'h RefCell<&'h mut H>,
    /// For each part its ticks, and the number of intervals.
    parts: [(u64, u64); PARTS],
    current: Option<Part>,
    since: u64,
    /// Whether each boundary is a call that is visible from outside.
    marks: bool,
}

impl<'h, H: Host> Profile<'h, H> {
    /// Without measurements.
    pub fn new(host: &'h RefCell<&'h mut H>) -> Self {
        Profile { host, parts: Default::default(), current: None, since: 0, marks: false }
    }

    /// Without measurements, and with every boundary marked for a tool that counts from outside.
    pub fn marked(host: &'h RefCell<&'h mut H>) -> Self {
        Profile { marks: true, ..Profile::new(host) }
    }

    /// The following work belongs to no part.
    pub fn pause(&mut self) {
        self.enter(None);
    }

    fn enter(&mut self, part: Option<Part>) {
        if self.marks {
            regions::mark(None);
        }
        let now = self.host.borrow_mut().ticks();
        if let Some(current) = self.current {
            let (ticks, stretches) = &mut self.parts[current as usize];
            *ticks += now.saturating_sub(self.since);
            *stretches += 1;
        }
        self.current = part;
        self.since = now;
        if self.marks {
            regions::mark(part);
        }
    }

    /// The ticks of each part, in the order of [`Part::ALL`], without the cost of reading the clock, and that cost in
    /// total.
    pub fn finish(self) -> ([u64; PARTS], u64) {
        /// Number of empty intervals of which the fastest is the cost of reading the clock.
        const EMPTY: u64 = 256;
        const TIMES: u32 = 8;
        let mut empty = u64::MAX;
        for _ in 0..TIMES {
            let mut nothing = Profile::new(self.host);
            nothing.part(Part::Steps);
            let mut observer = Shared(&mut nothing);
            for _ in 0..EMPTY {
                observer.part(Part::Steps);
            }
            empty = empty.min(nothing.parts.iter().map(|(ticks, _)| ticks).sum());
        }
        let mut clock = 0;
        let parts = self.parts.map(|(ticks, stretches)| {
            let reading = (stretches * empty / EMPTY).min(ticks);
            clock += reading;
            ticks - reading
        });
        (parts, clock)
    }
}

impl<H: Host> Observer for Profile<'_, H> {
    fn step(&mut self, _: usize, _: Step, _: &[f32]) {}

    fn part(&mut self, part: Part) {
        self.enter(Some(part));
    }
}
