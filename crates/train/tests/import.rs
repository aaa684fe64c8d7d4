//! Checkpoints with PyTorch tensor names: the same model as the trainer exports, or an error that names the tensor.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bitstate_model::{Config, Embedding, Model};
use bitstate_reference::{Definition, DefinitionState};
use bitstate_train::export::export;
use bitstate_train::import::import;
use bitstate_train::params::{Kind, Params};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const CONFIG: Config = Config {
    vocab_size: 40,
    n_layer: 2,
    n_embd: 24,
    n_head: 3,
    head_size: 8,
    ff_mult: 2,
    max_seq_len: 1024,
    dropout: 0.0,
};

/// A tensor as a PyTorch file stores it.
#[derive(Clone)]
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn f32(shape: &[usize], values: &[f32]) -> Stored {
        Stored {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    fn i8(shape: &[usize], values: &[i8]) -> Stored {
        Stored { dtype: Dtype::I8, shape: shape.to_vec(), bytes: values.iter().map(|&v| v as u8).collect() }
    }
}

type File = BTreeMap<String, Stored>;

/// Makes a file invalid.
type Change<'a> = &'a dyn Fn(&mut File);

/// Parameters that all differ from their initial values, so that a mixed-up tensor is noticed.
fn params() -> Params {
    let mut params = Params::new(&CONFIG, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for param in &mut params.0 {
        param.values.iter_mut().for_each(|value| *value += rng.random_range(-0.2..0.2));
    }
    params
}

/// The file that PyTorch would write, with its shape of token shifts, 1 × 1 × D.
fn pytorch(params: &Params) -> File {
    let stored = params.0.iter().map(|param| {
        let shape = if param.name.contains(".mu_") { vec![1, 1, param.shape[0]] } else { param.shape.clone() };
        (param.name.clone(), Stored::f32(&shape, &param.values))
    });
    stored.collect()
}

fn write(path: &Path, file: &File) {
    let views = file.iter().map(|(name, tensor)| {
        (name.clone(), TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Logits after some tokens, computed by the definition.
fn logits(file: &[u8]) -> Vec<f64> {
    let model = Model::parse(file).unwrap();
    let definition = Definition::new(&model);
    let mut state = DefinitionState::new(&model.config);
    [3, 1, 4, 1, 5, 39, 0].iter().flat_map(|&token| definition.forward(token, &mut state)).collect()
}

#[test]
fn f32_tensors_are_the_model_that_the_trainer_exports() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.safetensors");
    let params = params();
    let expected = logits(&export(&CONFIG, &params).unwrap());
    let mut file = pytorch(&params);
    write(&path, &file);
    let (config, made) = import(&path).unwrap();
    assert_eq!(config, CONFIG);
    assert_eq!(logits(&made), expected);

    // Compiled models have names with a prefix, and tied ones repeat the embedding.
    file.insert("head.weight".into(), file["emb.weight"].clone());
    let prefixed = file.iter().map(|(name, tensor)| (format!("_orig_mod.{name}"), tensor.clone())).collect();
    write(&path, &prefixed);
    assert_eq!(import(&path).unwrap().1, made);
}

#[test]
fn int8_tensors_are_taken_as_they_are() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.safetensors");
    let params = params();
    let exported = export(&CONFIG, &params).unwrap();
    let model = Model::parse(&exported).unwrap();
    let mut file = pytorch(&params);
    let Embedding::Int8 { rows, scales } = model.embedding else { panic!("version 1.2 has INT8 rows") };
    file.insert("emb.weight".into(), Stored::i8(&[40, 24], rows));
    file.insert("emb.scale".into(), Stored::f32(&[40, 1], &scales.iter().collect::<Vec<_>>()));
    for (l, layer) in model.layers.iter().enumerate() {
        let (tm, cm) = (&layer.time_mix, &layer.channel_mix);
        for (name, linear) in [
            ("tm.r_proj", &tm.r),
            ("tm.k_proj", &tm.k),
            ("tm.v_proj", &tm.v),
            ("tm.g_proj", &tm.g),
            ("tm.o_proj", &tm.o),
            ("cm.k_proj", &cm.k),
            ("cm.r_proj", &cm.r),
            ("cm.v_proj", &cm.v),
        ] {
            let (rows, cols) = (linear.weight.rows, linear.weight.cols);
            let values: Vec<i8> = (0..rows * cols).map(|i| linear.weight.get(i / cols, i % cols)).collect();
            file.insert(format!("blocks.{l}.{name}.weight"), Stored::i8(&[rows, cols], &values));
            file.insert(format!("blocks.{l}.{name}.scale"), Stored::f32(&[], &[linear.scale]));
        }
    }
    write(&path, &file);
    assert_eq!(import(&path).unwrap().1, exported);

    // Integers that are not ternary are multiplied by their scale: here the F32 matrix except for rounding.
    let name = "blocks.0.tm.r_proj";
    let weight = params.get(&format!("{name}.weight")).unwrap();
    assert_eq!(weight.kind, Kind::Matrix);
    let scale = weight.values.iter().fold(0.0, |max: f32, w| max.max(w.abs())) / 127.0;
    let values: Vec<i8> = weight.values.iter().map(|w| (w / scale).round() as i8).collect();
    file.insert(format!("{name}.weight"), Stored::i8(&weight.shape, &values));
    file.insert(format!("{name}.scale"), Stored::f32(&[1], &[scale]));
    write(&path, &file);
    let (_, made) = import(&path).unwrap();
    let made = Model::parse(&made).unwrap();
    let [ours, theirs] = [&made, &model].map(|model| model.layers[0].time_mix.r);
    assert!((ours.scale / theirs.scale - 1.0).abs() < 0.01, "{} {}", ours.scale, theirs.scale);
    let different =
        (0..24 * 24).filter(|i| ours.weight.get(i / 24, i % 24) != theirs.weight.get(i / 24, i % 24)).count();
    assert!(different < 24 * 24 / 50, "{different} of {} weights differ", 24 * 24);
}

#[test]
fn what_does_not_fit_is_named_with_its_shape() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.safetensors");
    let good = pytorch(&params());
    let error = |change: Change<'_>| {
        let mut file = good.clone();
        change(&mut file);
        write(&path, &file);
        import(&path).unwrap_err().to_string()
    };
    let shape = |name: &'static str, shape: &'static [usize]| {
        move |file: &mut File| {
            file.insert(name.into(), Stored::f32(shape, &vec![0.5; shape.iter().product()]));
        }
    };
    let cases: [(Change<'_>, &[&str]); 10] = [
        (&|file| drop(file.remove("blocks.1.cm.v_proj.weight")), &["no tensor blocks.1.cm.v_proj.weight"]),
        (&|file| drop(file.remove("emb.weight")), &["no tensor emb.weight"]),
        (&shape("blocks.1.tm.k_proj.weight", &[24, 20]), &["blocks.1.tm.k_proj.weight", "[24, 20]", "[24, 24]"]),
        (&shape("blocks.0.cm.v_proj.norm.bias", &[24]), &["blocks.0.cm.v_proj.norm.bias", "[24]", "F32 [48]"]),
        (&shape("blocks.0.tm.log_decay", &[3, 7]), &["log_decay", "[3, 7]", "24"]),
        (&shape("blocks.0.tm.mu_r", &[2, 24]), &["blocks.0.tm.mu_r", "[2, 24]", "[24]"]),
        (&shape("extra.weight", &[1]), &["extra.weight is not a tensor of this model"]),
        (&shape("head.weight", &[40, 24]), &["head.weight", "untied"]),
        (
            &|file| drop(file.insert("blocks.0.tm.r_proj.weight".into(), Stored::i8(&[24, 24], &[1; 576]))),
            &["no tensor blocks.0.tm.r_proj.scale", "I8 of blocks.0.tm.r_proj.weight"],
        ),
        (
            &|file| {
                file.insert("blocks.0.tm.r_proj.weight".into(), Stored::i8(&[24, 24], &[1; 576]));
                file.insert("blocks.0.tm.r_proj.scale".into(), Stored::f32(&[24], &[1.0; 24]));
            },
            &["blocks.0.tm.r_proj.scale", "[24]", "1 values"],
        ),
    ];
    for (change, parts) in cases {
        let said = error(change);
        for part in parts {
            assert!(said.contains("model.safetensors") && said.contains(part), "no `{part}` in: {said}");
        }
    }
    fs::write(&path, b"no safetensors").unwrap();
    assert!(import(&path).unwrap_err().to_string().contains("not a safetensors file"));
}
