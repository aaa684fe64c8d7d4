//! A model in the module's memory.

use crate::sampling::Sampling;
use crate::session::Session;
use crate::thrown;
use bitstate::bits::AlignedBytes;
use bitstate::tokenizer::Tokenizer;
use js_sys::Uint8Array;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// A model with its tokenizer. Any number of sessions can use it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Model(pub(crate) bitstate::Model);

#[wasm_bindgen]
impl Model {
    /// Loads a model from the bytes of a BITS file, which are copied into the module's memory once. A model whose tokens are
    /// not bytes also needs the bytes of its `tokenizer.json`.
    ///
    /// # Errors
    /// If there is not enough memory, the bytes are not a model file, or the tokenizer does not match the model.
    #[wasm_bindgen(constructor)]
    pub fn new(file: &Uint8Array, tokenizer: Option<Vec<u8>>) -> Result<Model, JsError> {
        let length = file.length() as usize;
        let bytes = AlignedBytes::filled(length, |room| file.copy_to(room));
        let bytes = bytes.map_err(|_| thrown(format_args!("not enough memory for a model of {length} bytes")))?;
        Ok(Model(open(bytes, tokenizer.as_deref()).map_err(thrown)?))
    }

    /// The kernel variant in use: `generic`, `lut`, `simd128` or `relaxed_simd`. All give the same bits.
    #[wasm_bindgen(getter)]
    pub fn variant(&self) -> String {
        self.0.variant().name().to_string()
    }

    /// SHA-256 of the file, in hex.
    #[wasm_bindgen(getter)]
    pub fn sha256(&self) -> String {
        self.0.sha256().to_string()
    }

    /// Number of tokens in the vocabulary.
    #[wasm_bindgen(getter, js_name = vocabSize)]
    pub fn vocab_size(&self) -> usize {
        self.0.config().vocab_size
    }

    /// Number of layers.
    #[wasm_bindgen(getter)]
    pub fn layers(&self) -> usize {
        self.0.config().n_layer
    }

    /// Number of heads per layer.
    #[wasm_bindgen(getter)]
    pub fn heads(&self) -> usize {
        self.0.config().n_head
    }

    /// Rows and columns of a head's state.
    #[wasm_bindgen(getter, js_name = headSize)]
    pub fn head_size(&self) -> usize {
        self.0.config().head_size
    }

    /// Size of a session's state in bytes, independent of the length of its text.
    #[wasm_bindgen(getter, js_name = stateBytes)]
    pub fn state_bytes(&self) -> usize {
        self.0.engine().new_state().saved_len()
    }

    /// The model's default sampling parameters.
    pub fn sampling(&self, seed: u64) -> Sampling {
        Sampling::from(&self.0.sampling(seed))
    }

    /// A new, empty session.
    ///
    /// # Errors
    /// If a sampling parameter is out of range.
    pub fn session(&self, sampling: Sampling) -> Result<Session, JsError> {
        Session::new(self.0.session(sampling.into()).map_err(thrown)?).map_err(thrown)
    }

    /// Resumes a session file, from the page or the command line, bit for bit.
    ///
    /// # Errors
    /// If the bytes are damaged, or belong to another model or tokenizer; names the field.
    pub fn resume(&self, file: &[u8]) -> Result<Session, JsError> {
        Session::new(self.0.resume(file).map_err(thrown)?).map_err(thrown)
    }
}

/// The model, and the tokenizer if one is given or needed.
pub(crate) fn open(bytes: AlignedBytes, tokenizer: Option<&[u8]>) -> Result<bitstate::Model, String> {
    let sentence = |error: bitstate::Error| error.to_string();
    let Some(json) = tokenizer else {
        let model = bitstate::Model::builder().from_aligned(bytes).map_err(sentence)?;
        return match model.tokenizer() {
            Some(_) => Ok(model),
            None => Err(format!(
                "the model has {} tokens, which are not bytes: also provide the tokenizer.json that it was trained with",
                model.config().vocab_size
            )),
        };
    };
    let tokenizer = Tokenizer::from_bpe_json(json).map_err(|error| error.to_string())?;
    let needed = tokenizer.vocab_size();
    let model = bitstate::Model::builder().tokenizer(tokenizer).from_aligned(bytes).map_err(sentence)?;
    let vocab_size = model.config().vocab_size;
    if needed > vocab_size {
        return Err(format!(
            "the tokenizer has {needed} tokens and the model only {vocab_size}: it was not trained with this tokenizer"
        ));
    }
    Ok(model)
}
