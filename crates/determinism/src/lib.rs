//! Checks that a WebAssembly module has no instruction with an implementation-defined result.
#![forbid(unsafe_code)]

use wasmparser::{BinaryReaderError, Operator, Parser, Payload};

/// Why a module is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is no module.
    #[error(transparent)]
    Malformed(#[from] BinaryReaderError),
    /// An instruction that engines may answer differently.
    #[error("the module has {instruction} at {offset:#x}: its result may differ from engine to engine")]
    Relaxed {
        /// The instruction.
        instruction: String,
        /// Where it is in the module.
        offset: usize,
    },
}

/// Rejects a module with a relaxed instruction, except the two dot products: the kernels use them only on operands for
/// which every engine must give the same result. The compiler generates relaxed instructions by itself, for `pmin` for
/// example.
///
/// # Errors
/// Names the instruction and its offset in the module.
pub fn check(module: &[u8]) -> Result<(), Refused> {
    use Operator as Op;
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CodeSectionEntry(body) = payload? else { continue };
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, offset) = operator?;
            if matches!(
                operator,
                Op::I8x16RelaxedSwizzle
                    | Op::I32x4RelaxedTruncF32x4S
                    | Op::I32x4RelaxedTruncF32x4U
                    | Op::I32x4RelaxedTruncF64x2SZero
                    | Op::I32x4RelaxedTruncF64x2UZero
                    | Op::F32x4RelaxedMadd
                    | Op::F32x4RelaxedNmadd
                    | Op::F64x2RelaxedMadd
                    | Op::F64x2RelaxedNmadd
                    | Op::I8x16RelaxedLaneselect
                    | Op::I16x8RelaxedLaneselect
                    | Op::I32x4RelaxedLaneselect
                    | Op::I64x2RelaxedLaneselect
                    | Op::F32x4RelaxedMin
                    | Op::F32x4RelaxedMax
                    | Op::F64x2RelaxedMin
                    | Op::F64x2RelaxedMax
                    | Op::I16x8RelaxedQ15mulrS
            ) {
                return Err(Refused::Relaxed { instruction: format!("{operator:?}"), offset });
            }
        }
    }
    Ok(())
}
