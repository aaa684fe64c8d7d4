//! A variant that cannot run here: status 2, no answer, and the feature that is missing on standard error.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs the kernel checks with `variant`: exit status, standard output, standard error.
fn run(variant: &str) -> (Option<i32>, String, String) {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../golden/peer/small-v1.2.bits");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitstate-runner-native"));
    command.args(["--model", model]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let request = format!("bitstate-request version=3 variant={variant}\nkernels\n");
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_variant_of_another_target_is_refused_with_what_it_needs() {
    for variant in ["simd128", "relaxed_simd"] {
        let (status, out, err) = run(variant);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(&format!("`{variant}` cannot run here: it needs a WebAssembly build")), "{err}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_variant_runs_or_its_missing_feature_is_named() {
    use std::is_x86_feature_detected as has;
    for (variant, feature, there) in [
        ("ssse3", "ssse3", has!("ssse3")),
        ("avx2", "avx2", has!("avx2")),
        ("avx_vnni", "avx_vnni", has!("avxvnni")),
        ("avx512_vnni", "avx512_vnni", has!("avx512vnni")),
    ] {
        let (status, out, err) = run(variant);
        if there {
            assert_eq!(status, Some(0), "{err}");
            assert!(out.starts_with(&format!("bitstate version=3 target=native variant={variant} ")), "{out}");
        } else {
            assert_eq!((status, out.as_str()), (Some(2), ""), "{err}");
            assert!(err.contains(&format!("`{variant}` cannot run here")) && err.contains(feature), "{err}");
        }
    }
}

#[test]
fn an_unknown_variant_is_answered_with_all_names() {
    let (status, out, err) = run("avx3");
    assert_eq!((status, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("avx3") && err.contains("avx512_vnni"), "{err}");
}
