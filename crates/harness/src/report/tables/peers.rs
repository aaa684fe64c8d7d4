//! The table of peers.

use super::numbers::number;
use super::table::Table;
use crate::report::summary::Peer;
use crate::report::summary::report::Report;

/// The peers of a run.
pub fn table(report: &Report) -> Table {
    let row = |peer: &Peer| {
        vec![
            format!("`{}`", peer.workload),
            peer.name.clone(),
            peer.in_words(),
            number(peer.speeds[0]),
            number(peer.speeds[1]),
            format!("{}/{}", peer.target, peer.variant),
            peer.ratio.pairs.to_string(),
            peer.network.clone(),
        ]
    };
    let note = "Decoding by other engines, one thread, greedy, a network of the same shape with random weights. In every \
                round each ran once, in random order, on the same processor. The ratio is this engine's speed over the \
                other's: the median of rounds, with its 95 % interval by bootstrap over rounds. The networks are not the \
                same; the last column says how they differ. No peer gives the same logits on every machine, and none was \
                asked to.";
    let columns = ["workload", "peer", "times as fast", "tokens/s", "its tokens/s", "variant", "rounds", "its network"];
    Table::new("Peers", note, &columns, report.peers.iter().map(row).collect())
}
