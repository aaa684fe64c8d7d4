//! Other engines beside this one, from rounds in which each ran once.

use crate::records::Row;
use crate::verdicts::stats::Summary;
use crate::verdicts::stats::paired::Ratio;
use serde::{Deserialize, Serialize};

/// Seed of every bootstrap: the same rows give the same interval.
const SEED: u64 = 0x0b00_7575;

/// Another engine on a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// How its network differs from ours.
    pub network: String,
    /// Case.
    pub workload: String,
    /// Target of this engine.
    pub target: String,
    /// Its variant.
    pub variant: String,
    /// Median tokens per second of this engine, and of the peer.
    pub speeds: [f64; 2],
    /// How many times as fast this engine is.
    pub ratio: Ratio,
}

impl Peer {
    /// The ratio with its interval.
    pub fn in_words(&self) -> String {
        let Ratio { middle, low, high, .. } = self.ratio;
        format!("{middle:.2} × ({low:.2} to {high:.2})")
    }
}

/// The peers in rows, in order of first appearance.
pub fn of(rows: &[Row]) -> Vec<Peer> {
    let mut found: Vec<(Peer, Vec<(f64, f64)>)> = Vec::new();
    for row in rows {
        let Row::Peer { target, variant, workload, peer, network, values: [ours, theirs], .. } = row else { continue };
        let pair = (*ours as f64, *theirs as f64);
        match found.iter_mut().find(|(known, _)| (&known.name, &known.workload) == (peer, workload)) {
            Some((_, pairs)) => pairs.push(pair),
            None => {
                let peer = Peer {
                    name: peer.clone(),
                    network: network.clone(),
                    workload: workload.clone(),
                    target: target.clone(),
                    variant: variant.clone(),
                    speeds: [0.0; 2],
                    ratio: Ratio { pairs: 0, low: 0.0, middle: 0.0, high: 0.0 },
                };
                found.push((peer, vec![pair]));
            }
        }
    }
    let concluded = found.into_iter().filter_map(|(mut peer, pairs)| {
        peer.ratio = Ratio::of(&pairs, SEED)?;
        let speed = |times: Vec<f64>| Summary::of(&times).map(|summary| 1e9 / summary.median);
        peer.speeds =
            [speed(pairs.iter().map(|pair| pair.0).collect())?, speed(pairs.iter().map(|pair| pair.1).collect())?];
        Some(peer)
    });
    concluded.collect()
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::records::Row;

    fn row(peer: &str, round: u32, values: [u64; 2]) -> Row {
        let [target, variant, workload, model, unit] = ["native", "avx2", "m/a", "0", "ns/token"].map(str::to_string);
        Row::Peer { target, variant, workload, model, peer: peer.into(), network: "f32".into(), round, unit, values }
    }

    #[test]
    fn the_ratio_is_of_rounds_and_not_of_medians() {
        // The machine is three times as slow in the last rounds: both are.
        let rows: Vec<Row> = (0..9)
            .flat_map(|round| {
                let slow = if round > 5 { 3 } else { 1 };
                [row("a", round, [1000 * slow, 2500 * slow]), row("b", round, [1000 * slow, 500 * slow])]
            })
            .collect();
        let peers = of(&rows);
        assert_eq!(peers.len(), 2);
        for (peer, expected) in peers.iter().zip([2.5, 0.5]) {
            let ratio = peer.ratio;
            assert!([ratio.low, ratio.middle, ratio.high].iter().all(|value| (value - expected).abs() < 1e-9));
        }
        assert_eq!(peers[0].speeds, [1e6, 4e5]);
        assert_eq!(peers[1].in_words(), "0.50 × (0.50 to 0.50)");
    }

    #[test]
    fn a_time_of_zero_is_none() {
        assert!(of(&[row("a", 0, [1000, 0])]).is_empty());
    }
}
