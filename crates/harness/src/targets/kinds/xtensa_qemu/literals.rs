//! Moves literal pools to the function they belong to.
//!
//! The compiler writes a function's literals *before* the `.section` line of that function, so they end up in the
//! literal section of the preceding function, where this function's `l32r` may not reach them, or the linker may drop
//! them with their section:
//!
//! ```text
//! what the compiler writes            what the assembler needs
//!     .literal_position                   .section .text.f,"ax",@progbits
//!     .literal .LCPI0_0, 1065353216       .literal_position
//!     .section .text.f,"ax",@progbits     .literal .LCPI0_0, 1065353216
//! f:                                  f:
//! ```

/// The text with every literal moved after the next `.section .text…` line.
pub(super) fn move_literals(assembly: &str) -> String {
    let mut out = String::with_capacity(assembly.len());
    let mut held: Vec<&str> = Vec::new();
    for line in assembly.split_inclusive('\n') {
        let directive = line.trim_start();
        if directive.starts_with(".literal") {
            held.push(line);
            continue;
        }
        out.push_str(line);
        if opens_code(directive) {
            held.drain(..).for_each(|literal| out.push_str(literal));
        }
    }
    // No section follows: they belong to the open one.
    held.into_iter().for_each(|literal| out.push_str(literal));
    out
}

/// Whether a line switches to a section of code.
fn opens_code(directive: &str) -> bool {
    let mut words =
        directive.split(|c: char| c.is_whitespace() || c == ',' || c == '"').filter(|word| !word.is_empty());
    let section = match words.next() {
        Some(".text") => return true,
        Some(".section") => words.next().unwrap_or(""),
        _ => return false,
    };
    section == ".text" || section.starts_with(".text.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_goes_behind_the_section_of_its_function() {
        let before = "\t.literal_position\n\t.literal .L0, 1\n\t.section\t.text.f,\"ax\",@progbits\nf:\n\tret\n";
        let after = "\t.section\t.text.f,\"ax\",@progbits\n\t.literal_position\n\t.literal .L0, 1\nf:\n\tret\n";
        assert_eq!(move_literals(before), after);
    }

    #[test]
    fn data_sections_between_do_not_take_it() {
        let before = ".literal .L0, 1\n.section .rodata.a,\"a\"\n.long 3\n.section \".text.f\",\"ax\"\nf:\n";
        let after = ".section .rodata.a,\"a\"\n.long 3\n.section \".text.f\",\"ax\"\n.literal .L0, 1\nf:\n";
        assert_eq!(move_literals(before), after);
    }

    #[test]
    fn two_functions_keep_their_own() {
        let before = ".literal .L0, 1\n.section .text.f\nf:\n.literal .L1, 2\n.text\ng:\n";
        let after = ".section .text.f\n.literal .L0, 1\nf:\n.text\n.literal .L1, 2\ng:\n";
        assert_eq!(move_literals(before), after);
    }

    #[test]
    fn nothing_is_lost() {
        assert_eq!(move_literals(""), "");
        assert_eq!(move_literals("f:\n.literal .L0, 1"), "f:\n.literal .L0, 1");
        assert_eq!(move_literals(".textual\n.section .texture\n"), ".textual\n.section .texture\n");
        assert_eq!(move_literals(".literal .L0, 1\n.section .texture\n"), ".section .texture\n.literal .L0, 1\n");
    }
}
