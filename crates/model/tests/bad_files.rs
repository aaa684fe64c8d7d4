//! Files with a single error. Each must be rejected with the right reason, field and offset.
//!
//! Each is made from a valid file with D = F = 3, V = 5, L = 2, H = 1. Its tensors start at:
//!
//! | | 1.0 | 1.1 | 1.2 |
//! |---|---|---|---|
//! | embedding (12 + data) | 52 | 52 | 52 |
//! | row scales (8 + 20) | | | 79 |
//! | layer 0: eight BitLinears of 12 + matrix, 4 + 4, 8 + 12, 8 + 12 | 124 | 124 | 107 |
//! | ln1 (20 each), ln2 | | | 611 |
//! | log_decay, u (12 + 12) | | | 691 |
//! | μ (16 + 12) | | | 739 |
//! | group norm | | | 907 |
//! | layer 1 | | | 947 |
//! | ln_f | | | 1787 |
//! | end | | | 1827 |
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use Edit::{Append, Bytes, Cut, F32, I32, Replace};
use bitstate_model::{Model, ParseError, Problem, Shape, Version};
use std::collections::HashSet;

/// A change to a valid file.
enum Edit {
    /// Four bytes at an offset.
    I32(usize, i32),
    /// Four bytes at an offset.
    F32(usize, f32),
    /// Bytes at an offset.
    Bytes(usize, &'static [u8]),
    /// Replaces this many bytes at an offset.
    Replace(usize, usize, &'static [u8]),
    /// Keeps only this many bytes.
    Cut(usize),
    /// Bytes at the end.
    Append(&'static [u8]),
}

impl Edit {
    fn apply(&self, file: &mut Vec<u8>) {
        match *self {
            I32(at, value) => file[at..at + 4].copy_from_slice(&value.to_le_bytes()),
            F32(at, value) => file[at..at + 4].copy_from_slice(&value.to_le_bytes()),
            Bytes(at, bytes) => file[at..at + bytes.len()].copy_from_slice(bytes),
            Replace(at, count, bytes) => drop(file.splice(at..at + count, bytes.iter().copied())),
            Cut(len) => file.truncate(len),
            Append(bytes) => file.extend_from_slice(bytes),
        }
    }
}

/// A bad file and its expected error.
struct Bad {
    name: &'static str,
    version: Version,
    edits: &'static [Edit],
    field: &'static str,
    offset: usize,
    problem: Problem,
}

const fn bad(name: &'static str, edits: &'static [Edit], field: &'static str, offset: usize, problem: Problem) -> Bad {
    Bad { name, version: Version::V1_2, edits, field, offset, problem }
}

/// The same with another version.
const fn of(version: Version, bad: Bad) -> Bad {
    Bad { version, ..bad }
}

const fn truncated(needs: u64, has: usize) -> Problem {
    Problem::Truncated { needs, has }
}

const fn size(found: i64, max: i64) -> Problem {
    Problem::SizeOutOfRange { found, max }
}

const fn shape(expected: Shape, found: Shape) -> Problem {
    Problem::WrongShape { expected, found }
}

const fn dims(ndim: u32, dims: [u32; 3]) -> Shape {
    Shape { ndim, dims }
}

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;
const VECTOR: Shape = dims(1, [3, 0, 0]);
const MATRIX: Shape = dims(2, [3, 3, 0]);

#[rustfmt::skip]
static BAD: &[Bad] = &[
    bad("empty", &[Cut(0)], "header.magic", 0, truncated(4, 0)),
    bad("three bytes", &[Cut(3)], "header.magic", 0, truncated(4, 3)),
    bad("another kind of file", &[Bytes(0, b"GGUF")], "header.magic", 0, Problem::BadMagic { found: 0x4655_4747, expected: 0x4249_5453 }),
    bad("big-endian magic", &[Bytes(0, b"BITS")], "header.magic", 0, Problem::BadMagic { found: 0x5354_4942, expected: 0x4249_5453 }),
    bad("no version", &[Cut(4)], "header.version", 4, truncated(4, 0)),
    bad("version 1.3", &[I32(4, 0x1_0003)], "header.version", 4, Problem::UnknownVersion { found: 0x1_0003 }),
    bad("version 0", &[I32(4, 0)], "header.version", 4, Problem::UnknownVersion { found: 0 }),
    bad("ten header fields", &[I32(8, 10)], "header.n_fields", 8, Problem::FieldCount { found: 10 }),
    bad("no header fields", &[I32(8, 0)], "header.n_fields", 8, Problem::FieldCount { found: 0 }),
    bad("no tokens", &[I32(12, 0)], "header.vocab_size", 12, size(0, 1 << 24)),
    bad("vocabulary of 2^31", &[I32(12, i32::MIN)], "header.vocab_size", 12, size(-(1 << 31), 1 << 24)),
    bad("vocabulary of 2^31 - 1", &[I32(12, i32::MAX)], "header.vocab_size", 12, size((1 << 31) - 1, 1 << 24)),
    bad("no layers", &[I32(16, 0)], "header.n_layer", 16, size(0, 1 << 12)),
    bad("a billion layers", &[I32(16, 1_000_000_000)], "header.n_layer", 16, size(1_000_000_000, 1 << 12)),
    bad("no width", &[I32(20, 0)], "header.n_embd", 20, size(0, 1 << 16)),
    bad("negative width", &[I32(20, -3)], "header.n_embd", 20, size(-3, 1 << 16)),
    bad("no heads", &[I32(24, 0)], "header.n_head", 24, size(0, 1 << 16)),
    bad("no head size", &[I32(28, 0)], "header.head_size", 28, size(0, 1 << 16)),
    bad("no channel mix", &[I32(32, 0)], "header.ff_mult", 32, size(0, 1 << 8)),
    bad("channel mix a thousand wide", &[I32(32, 1000)], "header.ff_mult", 32, size(1000, 1 << 8)),
    bad("no sequence", &[I32(36, 0)], "header.max_seq_len", 36, size(0, (1 << 31) - 1)),
    bad("negative sequence", &[I32(36, -1)], "header.max_seq_len", 36, size(-1, (1 << 31) - 1)),
    bad("heads too small", &[I32(28, 2)], "header.n_embd", 20, Problem::HeadsDoNotCover { n_embd: 3, n_head: 1, head_size: 2 }),
    bad("heads that overflow 32 bits", &[I32(24, 1 << 16), I32(28, 1 << 16)], "header.n_embd", 20, Problem::HeadsDoNotCover { n_embd: 3, n_head: 1 << 16, head_size: 1 << 16 }),
    bad("not BitNet", &[I32(40, 0)], "header.use_bitnet", 40, Problem::NotBitNet { found: 0 }),
    bad("BitNet 2", &[I32(40, 2)], "header.use_bitnet", 40, Problem::NotBitNet { found: 2 }),
    bad("untied head", &[I32(44, 0)], "header.tie_weights", 44, Problem::UntiedHead { found: 0 }),
    bad("dropout NaN", &[F32(48, NAN)], "header.dropout", 48, Problem::NotFinite { index: 0 }),
    bad("dropout cut", &[Cut(51)], "header.dropout", 48, truncated(4, 3)),
    bad("header alone", &[Cut(52)], "embedding", 52, truncated(4, 0)),

    bad("embedding of one dimension", &[I32(52, 1)], "embedding", 52, shape(dims(2, [5, 3, 0]), dims(1, [5, 0, 0]))),
    bad("embedding of 2^32 - 1 dimensions", &[I32(52, -1)], "embedding", 52, shape(dims(2, [5, 3, 0]), dims(u32::MAX, [0; 3]))),
    bad("embedding of no rows", &[I32(56, 0)], "embedding", 52, shape(dims(2, [5, 3, 0]), dims(2, [0, 3, 0]))),
    bad("embedding of no columns", &[I32(60, 0)], "embedding", 52, shape(dims(2, [5, 3, 0]), dims(2, [5, 0, 0]))),
    bad("embedding turned", &[I32(56, 3), I32(60, 5)], "embedding", 52, shape(dims(2, [5, 3, 0]), dims(2, [3, 5, 0]))),
    bad("vocabulary larger than the embedding", &[I32(12, 6)], "embedding", 52, shape(dims(2, [6, 3, 0]), dims(2, [5, 3, 0]))),
    bad("embedding's shape cut", &[Cut(58)], "embedding", 56, truncated(4, 2)),
    bad("embedding's rows cut", &[Cut(70)], "embedding", 64, truncated(15, 6)),
    bad("embedding of 1 TiB", &[I32(12, 1 << 24), I32(20, 1 << 16), I32(24, 1), I32(28, 1 << 16), I32(56, 1 << 24), I32(60, 1 << 16)], "embedding", 64, truncated(1 << 40, 1763)),
    of(Version::V1_1, bad("f32 embedding of 4 TiB", &[I32(12, 1 << 24), I32(20, 1 << 16), I32(24, 1), I32(28, 1 << 16), I32(56, 1 << 24), I32(60, 1 << 16)], "embedding", 64, truncated(1 << 42, 1780))),
    of(Version::V1_0, bad("f32 embedding NaN", &[F32(64, NAN)], "embedding", 64, Problem::NotFinite { index: 0 })),
    of(Version::V1_1, bad("f32 embedding infinite at its end", &[F32(120, -INF)], "embedding", 120, Problem::NotFinite { index: 14 })),
    bad("row scale infinite", &[F32(95, INF)], "embedding.scales", 95, Problem::NotFinite { index: 2 }),
    bad("no row scales", &[I32(83, 0)], "embedding.scales", 79, shape(dims(1, [5, 0, 0]), dims(1, [0, 0, 0]))),
    bad("row scales too few", &[I32(83, 4)], "embedding.scales", 79, shape(dims(1, [5, 0, 0]), dims(1, [4, 0, 0]))),
    bad("row scales as a matrix", &[Replace(79, 8, &[2, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0])], "embedding.scales", 79, shape(dims(1, [5, 0, 0]), dims(2, [5, 1, 0]))),

    bad("code 11 first", &[Bytes(119, &[0b11])], "layers[0].time_mix.r.weight", 119, Problem::InvalidCode { index: 0 }),
    bad("code 11 in the middle", &[Bytes(119, &[0, 0b0011_0000])], "layers[0].time_mix.r.weight", 120, Problem::InvalidCode { index: 6 }),
    bad("code 11 last", &[Bytes(121, &[0b11])], "layers[0].time_mix.r.weight", 121, Problem::InvalidCode { index: 8 }),
    of(Version::V1_1, bad("code 11 in 1.1", &[Bytes(137, &[0b1100_0000])], "layers[0].time_mix.r.weight", 137, Problem::InvalidCode { index: 7 })),
    bad("spare bits, valid code", &[Bytes(121, &[0b0000_0101])], "layers[0].time_mix.r.weight", 121, Problem::SpareBits { byte: 0b101 }),
    bad("spare bits, invalid code", &[Bytes(121, &[0b1100_0000])], "layers[0].time_mix.r.weight", 121, Problem::SpareBits { byte: 0xc0 }),
    of(Version::V1_0, bad("weight 2", &[Bytes(140, &[2])], "layers[0].time_mix.r.weight", 140, Problem::NotTernary { index: 4, value: 2 })),
    of(Version::V1_0, bad("weight -128", &[Bytes(144, &[0x80])], "layers[0].time_mix.r.weight", 144, Problem::NotTernary { index: 8, value: -128 })),
    bad("1.2 called 1.1", &[I32(4, 0x1_0001), I32(124, 7)], "layers[0].time_mix.r.weight", 124, shape(MATRIX, dims(7, [0; 3]))),
    bad("matrix of no rows", &[I32(111, 0)], "layers[0].time_mix.r.weight", 107, shape(MATRIX, dims(2, [0, 3, 0]))),
    bad("matrix of no columns", &[I32(115, 0)], "layers[0].time_mix.r.weight", 107, shape(MATRIX, dims(2, [3, 0, 0]))),
    bad("norm of nothing", &[I32(134, 0)], "layers[0].time_mix.r.norm.weight", 130, shape(VECTOR, dims(1, [0, 0, 0]))),
    bad("matrix turned", &[I32(32, 2)], "layers[0].channel_mix.k.weight", 422, shape(dims(2, [6, 3, 0]), MATRIX)),
    bad("matrix cut", &[Cut(120)], "layers[0].time_mix.r.weight", 119, truncated(3, 1)),
    bad("scale NaN", &[F32(126, NAN)], "layers[0].time_mix.r.scale", 126, Problem::NotFinite { index: 0 }),
    bad("scale of two values", &[Replace(122, 8, &[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])], "layers[0].time_mix.r.scale", 122, shape(dims(0, [0; 3]), dims(1, [2, 0, 0]))),
    bad("norm weight infinite", &[F32(201 + 4, INF)], "layers[0].time_mix.k.norm.weight", 205, Problem::NotFinite { index: 1 }),
    bad("norm bias a scalar", &[I32(150, 0)], "layers[0].time_mix.r.norm.bias", 150, shape(VECTOR, dims(0, [0; 3]))),
    bad("ln1 weight NaN", &[F32(619, NAN)], "layers[0].ln1.weight", 619, Problem::NotFinite { index: 0 }),
    bad("ln2 bias too wide", &[I32(675, 4)], "layers[0].ln2.bias", 671, shape(VECTOR, dims(1, [4, 0, 0]))),
    bad("log_decay S × H", &[I32(695, 3), I32(699, 1)], "layers[0].time_mix.log_decay", 691, shape(dims(2, [1, 3, 0]), dims(2, [3, 1, 0]))),
    bad("u NaN", &[F32(731, NAN)], "layers[0].time_mix.u", 731, Problem::NotFinite { index: 1 }),
    bad("μ of 1 × 3 × 1", &[I32(747, 3), I32(751, 1)], "layers[0].time_mix.mu_r", 739, shape(dims(3, [1, 1, 3]), dims(3, [1, 3, 1]))),
    bad("μ of four dimensions", &[I32(851, 4)], "layers[0].channel_mix.mu_k", 851, shape(dims(3, [1, 1, 3]), dims(4, [0; 3]))),
    bad("group norm NaN", &[F32(915, NAN)], "layers[0].time_mix.group_norm.weight", 915, Problem::NotFinite { index: 0 }),
    bad("layer 1 missing", &[Cut(947)], "layers[1].time_mix.r.weight", 947, truncated(4, 0)),
    bad("one layer more than there are", &[I32(16, 3)], "layers[2].time_mix.r.weight", 1787, shape(MATRIX, dims(1, [3, 0, 0]))),
    bad("one layer fewer than there are", &[I32(16, 1)], "ln_f.weight", 947, shape(VECTOR, dims(2, [3, 3, 0]))),
    bad("ln_f missing", &[Cut(1787)], "ln_f.weight", 1787, truncated(4, 0)),
    bad("last byte missing", &[Cut(1826)], "ln_f.bias", 1815, truncated(12, 11)),
    bad("one byte more", &[Append(&[0])], "end", 1827, Problem::TrailingBytes { count: 1 }),
    bad("an untied head at the end", &[Append(&[2, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0])], "end", 1827, Problem::TrailingBytes { count: 12 }),
];

#[test]
fn bad_files_are_refused_with_reason_field_and_offset() {
    let mut failures = Vec::new();
    for case in BAD {
        let mut file = support::tiny(case.version);
        assert!(Model::parse(&file).is_ok());
        case.edits.iter().for_each(|edit| edit.apply(&mut file));
        match Model::parse(&file) {
            Err(ParseError { field, offset, problem })
                if field.to_string() == case.field && offset == case.offset && problem == case.problem => {}
            Err(error) => failures.push(format!("{}: {error} ({:?})", case.name, error.problem)),
            Ok(_) => failures.push(format!("{}: was read", case.name)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let names: HashSet<_> = BAD.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), BAD.len(), "two cases share a name");
}

#[test]
fn an_error_reads_as_a_sentence_with_field_and_offset() {
    let mut file = support::tiny(Version::V1_2);
    file[44] = 0;
    let said = Model::parse(&file).unwrap_err().to_string();
    assert_eq!(
        said,
        "header.tie_weights (byte 44): is 0, not 1; an untied head cannot be read: train with tie_weights on"
    );
    let mut file = support::tiny(Version::V1_2);
    file[747] = 3;
    let said = Model::parse(&file).unwrap_err().to_string();
    assert_eq!(said, "layers[0].time_mix.mu_r (byte 739): has the shape 1×3×3; the header implies 1×1×3");
}
