//! Functions compiled for AVX use only the newer of the two encodings that x86-64 has for many instructions.
//!
//! While the upper halves of the vector registers are in use, an SSE-encoded instruction stalls an Intel CPU for
//! hundreds of cycles; one square root per norm halved the speed of a small model. The compiler uses one encoding in a
//! function and clears the upper halves (`vzeroupper`) before it calls another; inline assembly, also in libraries,
//! does not.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use iced_x86::{Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction, InstructionInfoFactory, Mnemonic};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// The functions of a program: name, address, code.
fn functions(program: &[u8]) -> Vec<(String, u64, Vec<u8>)> {
    let file = object::File::parse(program).expect("an executable");
    let code = |symbol: object::Symbol<'_, '_>| {
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        Some(section.data_range(symbol.address(), symbol.size()).ok()??.to_vec())
    };
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
    let mut all: Vec<_> = functions
        .filter_map(|symbol| Some((symbol.name().ok()?.to_owned(), symbol.address(), code(symbol)?)))
        .collect();
    all.sort_by_key(|(_, address, _)| *address);
    all.dedup_by_key(|(_, address, _)| *address);
    all
}

/// Encoding faults of a function, by instruction.
fn faults(code: &[u8], address: u64) -> Vec<String> {
    let instructions: Vec<Instruction> = Decoder::with_ip(64, code, address, DecoderOptions::NONE).iter().collect();
    let mut info = InstructionInfoFactory::new();
    let mut registers = |instruction: &Instruction| {
        let used = info.info(instruction).used_registers();
        let wide = used.iter().any(|used| used.register().is_ymm() || used.register().is_zmm());
        (wide, used.iter().any(|used| used.register().is_vector_register()))
    };
    let is_avx = |instruction: &Instruction| matches!(instruction.encoding(), EncodingKind::VEX | EncodingKind::EVEX);
    // `vzeroupper` itself is listed as changing all registers.
    let uses_upper = |instruction: &Instruction, wide: bool| {
        is_avx(instruction) && wide && !matches!(instruction.mnemonic(), Mnemonic::Vzeroupper | Mnemonic::Vzeroall)
    };
    let mut faults = Vec::new();
    let for_avx = instructions.iter().any(|instruction| uses_upper(instruction, registers(instruction).0));
    // Tracked along straight-line code: the compiler guarantees clean upper halves at its start.
    let mut upper_in_use = false;
    for instruction in &instructions {
        let (wide, vector) = registers(instruction);
        if for_avx
            && vector
            && instruction.encoding() == EncodingKind::Legacy
            && instruction.flow_control() == FlowControl::Next
        {
            faults.push(format!("{:#x}: {:?} in the encoding of SSE", instruction.ip(), instruction.mnemonic()));
        }
        match instruction.mnemonic() {
            Mnemonic::Vzeroupper | Mnemonic::Vzeroall => upper_in_use = false,
            _ if uses_upper(instruction, wide) => upper_in_use = true,
            _ => {}
        }
        match instruction.flow_control() {
            FlowControl::Next => {}
            FlowControl::Call | FlowControl::IndirectCall if upper_in_use => {
                faults.push(format!("{:#x}: a call without vzeroupper", instruction.ip()));
            }
            FlowControl::Return if upper_in_use => {
                faults.push(format!("{:#x}: a return without vzeroupper", instruction.ip()));
            }
            FlowControl::ConditionalBranch => {}
            _ => upper_in_use = false,
        }
    }
    faults
}

#[test]
fn no_function_mixes_the_encodings_of_sse_and_avx() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_bitstate-runner-native")).unwrap();
    let functions = functions(&program);
    let kernels = functions.iter().filter(|(name, ..)| name.contains("bitstate_kernels")).count();
    assert!(kernels > 100, "{kernels} functions of kernels are too few to be all");
    let faults: Vec<String> = functions
        .iter()
        .flat_map(|(name, address, code)| {
            faults(code, *address).into_iter().map(move |fault| format!("{name}\n  {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_mixture_is_found() {
    // vaddps ymm0, ymm1, ymm2 · sqrtss xmm0, xmm0 · vzeroupper · ret
    let legacy = [0xc5, 0xf4, 0x58, 0xc2, 0xf3, 0x0f, 0x51, 0xc0, 0xc5, 0xf8, 0x77, 0xc3];
    let found = faults(&legacy, 0x1000);
    assert_eq!(found, ["0x1004: Sqrtss in the encoding of SSE"]);
    // vaddps ymm0, ymm1, ymm2 · call · vzeroupper · ret
    let call = [0xc5, 0xf4, 0x58, 0xc2, 0xe8, 0, 0, 0, 0, 0xc5, 0xf8, 0x77, 0xc3];
    assert_eq!(faults(&call, 0x1000), ["0x1004: a call without vzeroupper"]);
    // vaddps ymm0, ymm1, ymm2 · ret
    assert_eq!(faults(&[0xc5, 0xf4, 0x58, 0xc2, 0xc3], 0), ["0x4: a return without vzeroupper"]);
    // sqrtss xmm0, xmm0 · ret: no AVX.
    assert_eq!(faults(&[0xf3, 0x0f, 0x51, 0xc0, 0xc3], 0), [""; 0]);
    // vaddps ymm0, ymm1, ymm2 · vsqrtss xmm0, xmm0, xmm0 · vzeroupper · call · ret
    let good = [0xc5, 0xf4, 0x58, 0xc2, 0xc5, 0xfa, 0x51, 0xc0, 0xc5, 0xf8, 0x77, 0xe8, 0, 0, 0, 0, 0xc3];
    assert_eq!(faults(&good, 0), [""; 0]);
}
