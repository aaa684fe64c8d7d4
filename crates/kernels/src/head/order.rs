//! The order in which the rows of a head are read.

/// The order in which the rows of a head are read. The result does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOrder {
    /// From row 0.
    FirstToLast,
    /// Some rows at a time, the last ones first.
    LastToFirst,
}

impl ReadOrder {
    /// The order for this head; the next one is read in the other order, so it starts with the rows that were read last
    /// and may still be in a cache that is smaller than the head.
    pub fn turn(&mut self) -> Self {
        let order = *self;
        *self = match order {
            ReadOrder::FirstToLast => ReadOrder::LastToFirst,
            ReadOrder::LastToFirst => ReadOrder::FirstToLast,
        };
        order
    }
}
