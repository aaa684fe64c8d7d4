//! Peers that are shell scripts, beside a runner that is one: the ratio, and what is refused.
#![allow(clippy::unwrap_used)]

mod support;

use bitstate_harness::definitions::metrics::Direction;
use bitstate_harness::records::Row;
use bitstate_harness::records::provenance::Provenance;
use bitstate_harness::report::Report;
use bitstate_harness::runs::peers::{Peer, measure};
use bitstate_protocol::Phase;
use support::Fake;

/// The rows of these peers beside a runner that decodes three tokens in 3 µs.
fn measured(peers: &[&str]) -> Vec<Row> {
    let fake = Fake::new();
    let events = [
        Fake::metric(Phase::Load, "time", 1000),
        Fake::metric(Phase::Prefill, "time", 5000),
        Fake::metric(Phase::Prefill, "tokens", 1),
        Fake::metric(Phase::Decode, "time", 3000),
        Fake::metric(Phase::Decode, "tokens", 3),
        Fake::stream([4, 5, 6]),
    ];
    let built = Fake::built(fake.runner(&Fake::answer(&fake.header(), &events), "cat $ANSWER"));
    let [target, variant, workload, model, unit] = ["native", "generic", "small/greedy", "0", "ns"].map(str::to_string);
    let (phase, metric, direction) = ("decode".into(), "time".into(), Direction::Lower);
    let before =
        Row::Sample { target, variant, workload, model, sample: 0, phase, metric, unit, direction, value: 3000 };
    let peers: Vec<Peer> = peers.iter().map(|peer| Peer::parse(peer).unwrap()).collect();
    fake.with_plan(&built, |plan| measure(plan, &[before], &peers, 1).unwrap())
}

#[test]
fn the_ratio_of_a_peer_is_that_of_its_speed() {
    let rows = measured(&["a=echo \"250000 tokens/s\"", "b=echo \"2000000 tokens/s\""]);
    let peers = Report::of(Provenance::default(), &rows).peers;
    let found: Vec<(&str, f64, usize)> =
        peers.iter().map(|peer| (peer.name.as_str(), peer.ratio.middle, peer.ratio.pairs)).collect();
    assert_eq!(found, [("a", 4.0, 15), ("b", 0.5, 15)]);
}

#[test]
fn a_peer_knows_the_model_and_the_number_of_tokens() {
    let rows = measured(&["a=[ -f \"$MODEL\" ] && echo \"$PROMPT$TOKENS tokens/s\""]);
    // One token of a prompt, three to decode.
    assert_eq!(Report::of(Provenance::default(), &rows).peers[0].speeds[1].round(), 13.0);
}

#[test]
fn a_peer_that_fails_is_one_failure_and_the_others_go_on() {
    for (script, sentence) in [
        ("exit 3", "exit status: 3"),
        ("echo fast", "prints no line with a number above zero before `tokens/s`"),
        ("echo tokens: $$; echo 5 tokens/s", "prints other tokens than in its first run"),
        ("no-such-program", "not found"),
    ] {
        let rows = measured(&[&format!("bad={script}"), "good=echo tokens: 1; echo 5 tokens/s"]);
        let errors: Vec<&String> = rows
            .iter()
            .filter_map(|row| if let Row::Failed { error, .. } = row { Some(error) } else { None })
            .collect();
        assert_eq!(errors.len(), 1, "{script}");
        assert!(errors[0].contains(sentence), "{script}: {}", errors[0]);
        let good = rows.iter().filter(|row| matches!(row, Row::Peer { peer, .. } if peer == "good")).count();
        assert_eq!(good, 15, "{script}");
    }
}
