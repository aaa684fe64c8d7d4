//! Files round-trip byte for byte, and every conversion preserves what it can.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use bitstate_model::{Embedding, EmbeddingWeights, MatrixData, Model, Preset, Problem, Version, Weights, synthetic};
use std::path::PathBuf;

/// The files of the original writer, with their names.
fn peer_files() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/peer");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "bits"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{} holds {} .bits files", folder.display(), files.len());
    files
}

#[test]
fn peer_files_parse_and_come_back_byte_for_byte() {
    let mut versions = Vec::new();
    for (name, bytes) in peer_files() {
        let model = Model::parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(model.layers.len(), model.config.n_layer, "{name}");
        assert_eq!(model.bytes(), bytes, "{name}");
        let written = Weights::from(&model).write(model.version).unwrap();
        assert!(written == bytes, "{name}: rewriting changes the file");
        versions.push(model.version);
    }
    versions.sort();
    versions.dedup();
    assert_eq!(versions, Version::ALL);
}

#[test]
fn written_weights_read_back_in_every_version() {
    for config in [support::TINY, Preset::by_name("small").unwrap().config()] {
        let weights = Weights::synthetic(&config, 5).unwrap();
        for version in Version::ALL {
            let file = weights.write(version).unwrap();
            let model = Model::parse(&file).unwrap();
            assert_eq!((model.version, model.config), (version, config));
            let back = Weights::from(&model);
            assert_eq!((&back.layers, &back.ln_f), (&weights.layers, &weights.ln_f));
            assert_eq!(back.embedding == weights.embedding, version < Version::V1_2);
            assert!(back.write(version).unwrap() == file);
        }
    }
}

#[test]
fn a_matrix_says_the_same_packed_and_not() {
    let (whole, packed) = (support::tiny(Version::V1_0), support::tiny(Version::V1_1));
    let (whole, packed) = (Model::parse(&whole).unwrap(), Model::parse(&packed).unwrap());
    for (a, b) in whole.layers.iter().zip(&packed.layers) {
        let (a, b) = (a.time_mix.k.weight, b.time_mix.k.weight);
        assert!(matches!(a.data, MatrixData::Int8(w) if w.len() == 9));
        assert!(matches!(b.data, MatrixData::Packed(bytes) if bytes.len() == 3));
        for (row, col) in (0..3).flat_map(|row| (0..3).map(move |col| (row, col))) {
            assert_eq!(a.get(row, col), b.get(row, col));
        }
    }
}

#[test]
fn an_embedding_is_quantised_row_by_row_to_nearest_even() {
    let mut weights = Weights::synthetic(&support::TINY, 1).unwrap();
    #[rustfmt::skip]
    let rows = vec![
        127.0, 2.5, -3.5, // scale 1: ties go to the even neighbour
        0.0, -0.0, 0.0, // any scale will do, if it is one
        -2.0, 1.0, 0.0,
        1e-45, 0.0, 0.0, // the scale would be zero
        1e38, -1e38, 1.0,
    ];
    weights.embedding = EmbeddingWeights::F32(rows);
    let file = weights.write(Version::V1_2).unwrap();
    let model = Model::parse(&file).unwrap();
    let Embedding::Int8 { rows, scales } = model.embedding else { panic!("1.2 has INT8 rows") };
    assert_eq!(rows, [127, 2, -4, 0, 0, 0, -127, 64, 0, 0, 0, 0, 127, -127, 0]);
    let scales: Vec<f32> = scales.iter().collect();
    assert_eq!(scales, [1.0, 1.0, 2.0 / 127.0, 1.0, 1e38 / 127.0]);

    weights.embedding = EmbeddingWeights::from(&model.embedding);
    for version in [Version::V1_0, Version::V1_1] {
        let file = weights.write(version).unwrap();
        let Embedding::F32(rows) = Model::parse(&file).unwrap().embedding else { panic!("{version} has f32 rows") };
        let rows: Vec<f32> = rows.iter().collect();
        assert_eq!(rows[..6], [127.0, 2.0, -4.0, 0.0, 0.0, 0.0]);
        assert_eq!(rows[6..8], [-127.0 * (2.0 / 127.0), 64.0 * (2.0 / 127.0)]);
    }
}

#[test]
fn scalars_of_one_dimension_and_flat_token_shifts_are_read() {
    let file = support::tiny(Version::V1_2);
    let mut other = file.clone();
    // From the end, so that earlier offsets stay valid: the first μ of layer 0, then its first scale.
    other.splice(739..755, [1, 0, 0, 0, 3, 0, 0, 0]);
    other.splice(122..126, [1, 0, 0, 0, 1, 0, 0, 0]);
    assert_ne!(other, file);
    let (one, two) = (Model::parse(&file).unwrap(), Model::parse(&other).unwrap());
    assert_eq!(Weights::from(&one), Weights::from(&two));
}

#[test]
fn every_int8_is_an_embedding_value() {
    let mut file = support::tiny(Version::V1_2);
    file[64] = 0x80;
    let model = Model::parse(&file).unwrap();
    assert!(matches!(model.embedding, Embedding::Int8 { rows, .. } if rows[0] == -128));
}

/// A change that must not be written, the field to be named and the reason.
type Refused = (fn(&mut Weights), &'static str, Problem);

#[test]
fn what_the_reader_would_refuse_is_not_written() {
    let length = |expected, found| Problem::WrongLength { expected, found };
    let changes: [Refused; 12] = [
        (|w| w.config.n_head = 2, "header.n_embd", Problem::HeadsDoNotCover { n_embd: 3, n_head: 2, head_size: 3 }),
        (|w| w.config.vocab_size = 0, "header.vocab_size", Problem::SizeOutOfRange { found: 0, max: 1 << 24 }),
        (|w| w.config.max_seq_len = 1 << 31, "header.max_seq_len", {
            Problem::SizeOutOfRange { found: 1 << 31, max: (1 << 31) - 1 }
        }),
        (|w| w.config.dropout = f32::NAN, "header.dropout", Problem::NotFinite { index: 0 }),
        (|w| drop(w.layers.pop()), "layers", length(2, 1)),
        (|w| w.embedding = EmbeddingWeights::F32(vec![0.0; 14]), "embedding", length(15, 14)),
        (
            |w| w.embedding = EmbeddingWeights::Int8 { rows: vec![0; 18], scales: vec![1.0; 5] },
            "embedding",
            length(15, 18),
        ),
        (
            |w| w.embedding = EmbeddingWeights::Int8 { rows: vec![0; 15], scales: vec![1.0; 4] },
            "embedding.scales",
            length(5, 4),
        ),
        (
            |w| w.embedding = EmbeddingWeights::Int8 { rows: vec![0; 15], scales: vec![f32::INFINITY; 5] },
            "embedding.scales",
            Problem::NotFinite { index: 0 },
        ),
        (
            |w| w.layers[1].channel_mix.v.weight[7] = -2,
            "layers[1].channel_mix.v.weight",
            Problem::NotTernary { index: 7, value: -2 },
        ),
        (|w| w.layers[0].time_mix.o.scale = f32::NAN, "layers[0].time_mix.o.scale", Problem::NotFinite { index: 0 }),
        (|w| w.ln_f.bias.push(0.0), "ln_f.bias", length(3, 4)),
    ];
    for (change, field, problem) in changes {
        let mut weights = Weights::synthetic(&support::TINY, 1).unwrap();
        change(&mut weights);
        for version in Version::ALL {
            let error = weights.write(version).unwrap_err();
            assert_eq!((error.field.to_string().as_str(), error.problem), (field, problem), "{version}");
        }
    }
}

#[test]
fn presets_are_found_by_name_and_a_misspelt_one_gets_the_nearest() {
    for preset in Preset::ALL {
        assert_eq!(Preset::by_name(preset.name()), Ok(preset));
    }
    for (asked, nearest) in [("defualt", "default"), ("bytes", "byte"), ("larg", "large"), ("Small", "small")] {
        assert_eq!(Preset::by_name(asked).unwrap_err().nearest, nearest);
    }
    assert_eq!(
        Preset::by_name("bite").unwrap_err().to_string(),
        "there is no preset \"bite\"; did you mean \"byte\"? The presets are default, byte, large, small"
    );
}

#[test]
fn a_seed_is_the_same_file_everywhere() {
    let fnv = |bytes: &[u8]| {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h: u64, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    let small = Preset::by_name("small").unwrap().config();
    let hashes = Version::ALL.map(|version| fnv(&synthetic(&small, 1, version)));
    assert_eq!(hashes, [0x39e3_6c6a_9f91_0dab, 0x8558_3abd_e774_9f39, 0xa525_c6a2_8f47_05cb]);
    assert_ne!(synthetic(&small, 1, Version::V1_2), synthetic(&small, 2, Version::V1_2));
}
