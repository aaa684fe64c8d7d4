//! Events on their way to a client.

use super::Event;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Longest time that a token waits for others: a frame of a screen. Many clients of a fast model would otherwise wake the thread
/// of the clients for every token, which costs more than generating it.
const WAIT: Duration = Duration::from_millis(16);

/// Sends the events of a job in order, tokens in bursts.
pub(crate) struct Outbox {
    events: UnboundedSender<Event>,
    /// Tokens that were not sent yet.
    held: Vec<Event>,
    /// When the last burst was sent; none before the first token, which does not wait.
    sent: Option<Instant>,
}

impl Outbox {
    /// An empty one.
    pub fn new(events: UnboundedSender<Event>) -> Self {
        Outbox { events, held: Vec::new(), sent: None }
    }

    /// Whether the client has disconnected.
    pub fn is_closed(&self) -> bool {
        self.events.is_closed()
    }

    /// Sends a token, at once or with the next ones.
    pub fn push(&mut self, token: Event) {
        self.held.push(token);
        let now = Instant::now();
        if self.sent.is_none_or(|sent| now - sent >= WAIT) {
            self.sent = Some(now);
            self.flush();
        }
    }

    /// Sends what was held, and this.
    pub fn send(&mut self, event: Event) {
        self.flush();
        // A disconnected client is detected before the next step.
        let _ = self.events.send(event);
    }

    fn flush(&mut self) {
        for event in self.held.drain(..) {
            let _ = self.events.send(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Failure;
    use tokio::sync::mpsc::unbounded_channel;

    fn token(id: u32) -> Event {
        Event::Token { answer: 0, id, text: String::new(), logprob: None, alternatives: Vec::new() }
    }

    #[test]
    fn the_first_token_is_sent_at_once_and_the_others_in_order_before_the_end() {
        let (sender, mut events) = unbounded_channel();
        let mut outbox = Outbox::new(sender);
        // Far in the future: what follows the first token is held.
        outbox.push(token(1));
        assert_eq!(events.len(), 1);
        outbox.sent = Some(Instant::now() + Duration::from_secs(3600));
        outbox.push(token(2));
        outbox.push(token(3));
        assert_eq!(events.len(), 1, "they are held");
        outbox.send(Event::Failed(Failure::Panic));
        let ids: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
            .map(|event| if let Event::Token { id, .. } = event { id } else { 0 })
            .collect();
        assert_eq!(ids, [1, 2, 3, 0]);
    }

    #[test]
    fn held_tokens_leave_with_the_next_one_after_the_wait() {
        let (sender, events) = unbounded_channel();
        let mut outbox = Outbox::new(sender);
        outbox.push(token(1));
        outbox.sent = Some(Instant::now() + Duration::from_secs(3600));
        outbox.push(token(2));
        outbox.sent = Instant::now().checked_sub(WAIT);
        outbox.push(token(3));
        assert_eq!(events.len(), 3);
        drop(events);
        assert!(outbox.is_closed());
    }
}
