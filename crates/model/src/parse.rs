//! Bytes → views. A file is treated as hostile: every size is checked against the remaining bytes before it is used,
//! and the only allocation is the list of layers.

use crate::check;
use crate::config::{Config, SIZES, Version};
use crate::error::{Field, ParseError, Problem, Shape};
use crate::view::{BitLinear, ChannelMix, Embedding, F32s, Layer, Matrix, MatrixData, Model, Norm, TimeMix};
use alloc::vec::Vec;

/// The first four bytes of every file, read as a little-endian u32: `STIB`.
pub(crate) const MAGIC: u32 = 0x4249_5453;
/// Header fields after the first three words, excluding dropout.
pub(crate) const FIELDS: u32 = 9;
/// Offset of D in the header.
const N_EMBD_AT: usize = 20;
/// BitLinear layers of a layer, and its other tensors.
const BIT_LINEARS: u64 = 8;
const VECTORS: u64 = 14;

impl<'a> Model<'a> {
    /// Parses a BITS file of version 1.0, 1.1 or 1.2. The weights are borrowed; afterwards every size agrees with the
    /// header, every ternary weight is -1, 0 or 1 and every float is finite.
    ///
    /// The only allocation is [`Model::layers`], reserved for no more layers than the bytes after the header can hold.
    /// It is smaller than the file for every `n_embd` of at least 8.
    ///
    /// # Errors
    /// [`ParseError`] names the first wrong field, its byte offset and what is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Model<'a>, ParseError> {
        let mut cursor = Cursor { bytes, at: 0 };
        let (version, config) = cursor.header()?;
        let mut file = Reader { cursor, version, config };
        let embedding = file.embedding()?;
        let mut layers = Vec::with_capacity(file.layers_at_most());
        for index in 0..config.n_layer {
            layers.push(file.layer(index)?);
        }
        let ln_f = file.norm(Field::new("ln_f"), ["weight", "bias"], config.n_embd)?;
        file.cursor.end()?;
        Ok(Model { version, config, embedding, layers, ln_f, bytes })
    }
}

/// Number of bytes that [`start`] needs to recognise a model: the header, and the shape of the embedding.
#[cfg(feature = "std")]
pub(crate) const START: usize = 64;

/// Parses the header and the shape of the embedding, which zeros after a valid header do not contain.
#[cfg(feature = "std")]
pub(crate) fn start(bytes: &[u8]) -> Result<(Version, Config), ParseError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let (version, config) = cursor.header()?;
    Reader { cursor, version, config }.embedding_shape()?;
    Ok((version, config))
}

/// A position in the file.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes. Counts are u64 so that they are exact if `usize` has 32 bits.
    fn take(&mut self, field: Field, count: u64) -> Result<&'a [u8], ParseError> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        match usize::try_from(count).ok().and_then(|n| rest.get(..n)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(error(field, self.at, Problem::Truncated { needs: count, has: rest.len() })),
        }
    }

    fn u32(&mut self, field: Field) -> Result<u32, ParseError> {
        let bytes = self.take(field, 4)?;
        Ok(bytes.iter().rev().fold(0, |word, &b| word << 8 | u32::from(b)))
    }

    /// A header field and its offset.
    fn header_field(&mut self, name: &'static str) -> Result<(i32, usize), ParseError> {
        let at = self.at;
        Ok((self.u32(Field::header(name))? as i32, at))
    }

    /// The header, 52 bytes.
    fn header(&mut self) -> Result<(Version, Config), ParseError> {
        let magic = self.u32(Field::header("magic"))?;
        if magic != MAGIC {
            return Err(error(Field::header("magic"), 0, Problem::BadMagic { found: magic, expected: MAGIC }));
        }
        let code = self.u32(Field::header("version"))?;
        let unknown = error(Field::header("version"), 4, Problem::UnknownVersion { found: code });
        let version = Version::from_code(code).ok_or(unknown)?;
        let found = self.u32(Field::header("n_fields"))?;
        if found != FIELDS {
            return Err(error(Field::header("n_fields"), 8, Problem::FieldCount { found }));
        }
        let mut sizes = [0; SIZES.len()];
        for (limit, size) in SIZES.iter().zip(&mut sizes) {
            let (found, at) = self.header_field(limit.name)?;
            limit.check(found.into()).map_err(placed(at))?;
            *size = found as usize;
        }
        let [vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len] = sizes;
        let (found, bitnet_at) = self.header_field("use_bitnet")?;
        if found != 1 {
            return Err(error(Field::header("use_bitnet"), bitnet_at, Problem::NotBitNet { found }));
        }
        let (found, tied_at) = self.header_field("tie_weights")?;
        if found != 1 {
            return Err(error(Field::header("tie_weights"), tied_at, Problem::UntiedHead { found }));
        }
        let dropout_at = self.at;
        let dropout = f32::from_bits(self.u32(Field::header("dropout"))?);
        let config = Config { vocab_size, n_layer, n_embd, n_head, head_size, ff_mult, max_seq_len, dropout };
        config.check_heads().map_err(placed(N_EMBD_AT))?;
        config.check_dropout().map_err(placed(dropout_at))?;
        Ok((version, config))
    }

    /// Checks that nothing follows.
    fn end(&self) -> Result<(), ParseError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(error(Field::new("end"), self.at, Problem::TrailingBytes { count })),
        }
    }
}

/// Adds the offset to a problem.
fn placed(offset: usize) -> impl Fn((Field, Problem)) -> ParseError {
    move |(field, problem)| error(field, offset, problem)
}

fn error(field: Field, offset: usize, problem: Problem) -> ParseError {
    ParseError { field, offset, problem }
}

/// The file after its header: tensors in file order.
struct Reader<'a> {
    cursor: Cursor<'a>,
    version: Version,
    config: Config,
}

impl<'a> Reader<'a> {
    /// How many layers the rest of the file can hold, at most as many as the header claims. If that is fewer than
    /// claimed, parsing fails before the list would grow, at the field where the file ends.
    fn layers_at_most(&self) -> usize {
        let width = self.config.n_embd as u64;
        let square = width * width / if self.version == Version::V1_0 { 1 } else { 4 };
        // The smallest possible tensor headers: 12 bytes per matrix, 4 per scalar, 8 per vector.
        let bit_linear = (12 + square) + (4 + 4) + 2 * (8 + 4 * width);
        let layer = BIT_LINEARS * bit_linear + VECTORS * (8 + 4 * width);
        let fit = self.cursor.remaining() as u64 / layer;
        usize::try_from(fit).unwrap_or(usize::MAX).min(self.config.n_layer)
    }

    /// Parses the header of a tensor, which must have one of the shapes `accepted`.
    fn shape(&mut self, field: Field, accepted: &[Shape]) -> Result<u64, ParseError> {
        let at = self.cursor.at;
        let mut found = Shape { ndim: self.cursor.u32(field)?, dims: [0; 3] };
        if let Some(dims) = found.dims.get_mut(..found.ndim as usize) {
            for dim in dims {
                *dim = self.cursor.u32(field)?;
            }
        }
        match accepted {
            shapes if shapes.contains(&found) => Ok(found.count()),
            [expected, ..] => Err(error(field, at, Problem::WrongShape { expected: *expected, found })),
            [] => Ok(found.count()),
        }
    }

    /// An f32 tensor, all finite.
    fn floats(&mut self, field: Field, accepted: &[Shape]) -> Result<F32s<'a>, ParseError> {
        let count = self.shape(field, accepted)?;
        self.float_values(field, count)
    }

    fn float_values(&mut self, field: Field, count: u64) -> Result<F32s<'a>, ParseError> {
        let at = self.cursor.at;
        let bytes = self.cursor.take(field, count.saturating_mul(4))?;
        match check::finite_bytes(bytes) {
            Ok(()) => Ok(F32s(bytes)),
            Err(index) => Err(error(field, at + 4 * index, Problem::NotFinite { index })),
        }
    }

    fn scalar(&mut self, field: Field) -> Result<f32, ParseError> {
        let value = self.floats(field, &[Shape::SCALAR, Shape::vector(1)])?;
        Ok(value.iter().next().unwrap_or(0.0))
    }

    fn vector(&mut self, field: Field, width: usize) -> Result<F32s<'a>, ParseError> {
        self.floats(field, &[Shape::vector(width)])
    }

    /// One value for each channel of each head.
    fn per_head(&mut self, field: Field) -> Result<F32s<'a>, ParseError> {
        self.floats(field, &[Shape::matrix(self.config.n_head, self.config.head_size)])
    }

    fn token_shift(&mut self, field: Field) -> Result<F32s<'a>, ParseError> {
        let width = self.config.n_embd;
        self.floats(field, &[Shape::token_shift(width), Shape::vector(width)])
    }

    fn norm(&mut self, field: Field, leaves: [&'static str; 2], width: usize) -> Result<Norm<'a>, ParseError> {
        let weight = self.vector(field.leaf(leaves[0]), width)?;
        let bias = self.vector(field.leaf(leaves[1]), width)?;
        Ok(Norm { weight, bias })
    }

    fn matrix(&mut self, field: Field, rows: usize, cols: usize) -> Result<Matrix<'a>, ParseError> {
        let count = self.shape(field, &[Shape::matrix(rows, cols)])?;
        let at = self.cursor.at;
        let wrong = |(index, problem)| error(field, at + index, problem);
        let data = if self.version == Version::V1_0 {
            let weights = bytemuck::cast_slice(self.cursor.take(field, count)?);
            check::ternary(weights).map_err(wrong)?;
            MatrixData::Int8(weights)
        } else {
            let bytes = self.cursor.take(field, count.div_ceil(4))?;
            check::packed(bytes, (count % 4) as usize).map_err(wrong)?;
            MatrixData::Packed(bytes)
        };
        Ok(Matrix { rows, cols, data })
    }

    fn bit_linear(&mut self, field: Field, rows: usize, cols: usize) -> Result<BitLinear<'a>, ParseError> {
        Ok(BitLinear {
            weight: self.matrix(field.leaf("weight"), rows, cols)?,
            scale: self.scalar(field.leaf("scale"))?,
            norm: self.norm(field, ["norm.weight", "norm.bias"], cols)?,
        })
    }

    fn embedding(&mut self) -> Result<Embedding<'a>, ParseError> {
        let (field, count) = (Field::new("embedding"), self.embedding_shape()?);
        if self.version < Version::V1_2 {
            return Ok(Embedding::F32(self.float_values(field, count)?));
        }
        let rows = bytemuck::cast_slice(self.cursor.take(field, count)?);
        let scales = self.vector(field.leaf("scales"), self.config.vocab_size)?;
        Ok(Embedding::Int8 { rows, scales })
    }

    /// The number of its values.
    fn embedding_shape(&mut self) -> Result<u64, ParseError> {
        let Config { vocab_size, n_embd, .. } = self.config;
        self.shape(Field::new("embedding"), &[Shape::matrix(vocab_size, n_embd)])
    }

    /// A layer. The file stores all its BitLinears first, then the vectors.
    fn layer(&mut self, index: usize) -> Result<Layer<'a>, ParseError> {
        let (width, ff) = (self.config.n_embd, self.config.ff_dim());
        let part = |name| Field::layer(index, name);
        let r = self.bit_linear(part("time_mix.r"), width, width)?;
        let k = self.bit_linear(part("time_mix.k"), width, width)?;
        let v = self.bit_linear(part("time_mix.v"), width, width)?;
        let g = self.bit_linear(part("time_mix.g"), width, width)?;
        let o = self.bit_linear(part("time_mix.o"), width, width)?;
        let ck = self.bit_linear(part("channel_mix.k"), ff, width)?;
        let cr = self.bit_linear(part("channel_mix.r"), width, width)?;
        let cv = self.bit_linear(part("channel_mix.v"), width, ff)?;
        let ln1 = self.norm(part("ln1"), ["weight", "bias"], width)?;
        let ln2 = self.norm(part("ln2"), ["weight", "bias"], width)?;
        let log_decay = self.per_head(part("time_mix.log_decay"))?;
        let u = self.per_head(part("time_mix.u"))?;
        let mu_r = self.token_shift(part("time_mix.mu_r"))?;
        let mu_k = self.token_shift(part("time_mix.mu_k"))?;
        let mu_v = self.token_shift(part("time_mix.mu_v"))?;
        let mu_g = self.token_shift(part("time_mix.mu_g"))?;
        let cmu_k = self.token_shift(part("channel_mix.mu_k"))?;
        let cmu_r = self.token_shift(part("channel_mix.mu_r"))?;
        let group_norm = self.norm(part("time_mix.group_norm"), ["weight", "bias"], width)?;
        let time_mix = TimeMix { r, k, v, g, o, log_decay, u, mu_r, mu_k, mu_v, mu_g, group_norm };
        let channel_mix = ChannelMix { k: ck, r: cr, v: cv, mu_k: cmu_k, mu_r: cmu_r };
        Ok(Layer { ln1, time_mix, ln2, channel_mix })
    }
}
