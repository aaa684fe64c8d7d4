//! A request for a runner, as lines of text: rejected with a line number, or unchanged after writing and parsing it again.

use bitstate_protocol::Request;

/// Reads one input.
///
/// # Panics
/// If a written request parses to a different one.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(request) = Request::parse(text) else { return };
    let written = request.to_text();
    let again = Request::parse(&written).expect("a written request can be parsed");
    // As text, because a NaN is not equal to itself.
    assert_eq!(again.to_text(), written);
    for (job, same) in request.jobs.iter().zip(&again.jobs) {
        assert_eq!(job.cases(), same.cases());
    }
}
