//! Configurations of training: errors name the key or the value.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_train::config::TrainConfig;

#[test]
fn a_misspelt_key_is_named_with_the_nearest() {
    let text = "data = 'd'\nout = 'o'\nsteps = 1\n[model]\npreset = 'byte'\n[optimizer]\nwarm_up = 3\n";
    let error = TrainConfig::parse(text).unwrap_err();
    assert!(error.contains("`warm_up`") && error.ends_with("did you mean `warmup`?"), "{error}");
    let error = TrainConfig::parse(&text.replace("warm_up = 3", "lr = -1.0")).unwrap_err();
    assert!(error.contains("optimizer.lr is -1"), "{error}");
}

#[test]
fn a_configuration_that_cannot_be_is_refused_before_anything_is_made() {
    let text = "data = 'd'\nout = 'o'\nsteps = 9\n[model]\npreset = 'byte'\n[batch]\nsequences = 4\n\
                [optimizer]\nlr = 1e-3\n[watch]\nvalidate_windows = 4\n";
    TrainConfig::parse(text).unwrap();
    for (from, to, why) in [
        ("steps = 9", "steps = 0", "steps must be above 0"),
        ("lr = 1e-3", "lr = 0.0", "optimizer.lr is 0"),
        ("lr = 1e-3", "lr = nan", "optimizer.lr is NaN"),
        ("sequences = 4", "sequences = 9223372036854775807", "batch.accumulate"),
        ("validate_windows = 4", "validate_windows = 0", "watch.validate_windows"),
        ("'byte'", "'bite'", "bite"),
        ("'byte'", "'byte'\nn_embd = 0", "n_embd"),
        ("'byte'", "'byte'\nn_embd = 9223372036854775804", "n_embd"),
        ("'byte'", "'byte'\nff_mult = 0", "ff_mult"),
        ("'byte'", "'byte'\nn_layer = 0", "n_layer"),
        ("'byte'", "'byte'\nn_layer = 100000000000", "n_layer"),
        ("'byte'", "'byte'\nn_head = 7", "n_head"),
    ] {
        let error = TrainConfig::parse(&text.replace(from, to)).unwrap_err();
        assert!(error.contains(why), "{to}: no `{why}` in {error}");
    }
}

#[test]
fn wrong_stages_are_named() {
    let text = "data = 'd'\nout = 'o'\nsteps = 1\n[model]\npreset = 'byte'\n";
    let of = |stages: &str| TrainConfig::parse(&format!("{text}{stages}"));
    let stage = |from: u64, len: u64| format!("[[curriculum]]\nfrom_step = {from}\nseq_len = {len}\n");
    assert!(of(&(stage(10, 64) + &stage(20, 128))).is_ok());
    for (stages, part) in [
        (stage(1, 64), "curriculum[0].from_step is 1"),
        (stage(10, 64) + &stage(10, 128), "curriculum[1].from_step is 10"),
        (stage(10, 0), "must be above 0"),
        (stage(10, 64).replace("seq_len", "seqlen"), "did you mean `seq_len`?"),
    ] {
        let error = of(&stages).unwrap_err();
        assert!(error.contains(part), "no `{part}` in {error}");
    }
}
