//! Links the firmware's objects, a model and a request into an image.

use super::error::{Error, run_tool};
use super::objects::{Firmware, Tools};
use crate::workspace::environment::command;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Names of the region with the stack and the heap, in the scripts of the boards.
const NEAR: [&str; 2] = ["sram", "ram"];

/// Usage of a memory region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionUse {
    /// Name in the linker script.
    pub name: String,
    /// Bytes used, including the stack, excluding the heap.
    pub used: u64,
    /// Size in bytes.
    pub length: u64,
}

/// Sizes of an image, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections {
    /// Code and its literals, vectors included.
    pub text: u64,
    /// Read-only data.
    pub rodata: u64,
    /// Initialised data.
    pub data: u64,
    /// Zeroed data.
    pub bss: u64,
    /// Space for the stack.
    pub stack: u64,
    /// Space for the heap: the rest of the memory that the stack is in.
    pub heap: u64,
    /// The model.
    pub model: u64,
    /// The request.
    pub request: u64,
    /// The memory regions.
    pub regions: Vec<RegionUse>,
}

/// A program for QEMU.
#[derive(Debug, Clone)]
pub struct Image {
    pub(super) path: PathBuf,
    pub(super) emulator: (PathBuf, Vec<String>),
    sections: Sections,
}

impl Image {
    /// The ELF file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its sizes.
    pub fn sections(&self) -> &Sections {
        &self.sections
    }
}

impl Firmware {
    /// Size of a memory region in the linker script, in bytes.
    pub fn region(&self, name: &str) -> Option<u64> {
        region_length(&fs::read_to_string(&self.script).ok()?, name)
    }

    /// The addresses of a memory region in the linker script.
    pub fn addresses(&self, name: &str) -> Option<Range<u64>> {
        let script = fs::read_to_string(&self.script).ok()?;
        let start = region_origin(&script, name)?;
        Some(start..start.checked_add(region_length(&script, name)?)?)
    }

    /// Links the firmware with a model and a request into `out`; files beside it share its name.
    ///
    /// # Errors
    /// [`Error::DoesNotFit`] if the target's memory is too small for them.
    pub fn link(&self, model: &Path, request: &Path, out: &Path) -> Result<Image, Error> {
        let blobs = out.with_extension("blobs.s");
        let text = blob("model", model)? + &blob("request", request)?;
        fs::write(&blobs, text).map_err(Error::io("write", &blobs))?;
        let blobs_object = out.with_extension("blobs.o");
        assemble(&self.tools, &blobs, &blobs_object, "")?;

        let mut command = command(&self.tools.linker);
        command.args(["--gc-sections", "--print-memory-usage"]).args(self.tools.linker_flags);
        // Where scripts that it includes are.
        command.arg("-L").arg(self.script.parent().unwrap_or(Path::new(".")));
        command.arg("-T").arg(&self.script).arg("-Map").arg(out.with_extension("map"));
        command.arg("-o").arg(out).args(&self.objects).arg(&blobs_object);
        let log = out.with_extension("link.log");
        let usage = run_tool(&mut command, &log).map_err(does_not_fit)?;
        let sections = sections(&self.tools, out, &usage, &log)?;
        Ok(Image { path: out.into(), emulator: self.tools.emulator.clone(), sections })
    }
}

/// Assembles a file as it is, for a core with some features. A failure leaves no object behind.
pub(in crate::targets::kinds) fn assemble(
    tools: &Tools,
    source: &Path,
    object: &Path,
    features: &str,
) -> Result<(), Error> {
    let part = object.with_extension("o.part");
    let mut command = command(&tools.assembler);
    command.arg(format!("-triple={}", tools.triple)).arg("-filetype=obj").arg(format!("-mattr={features}"));
    command.arg(source).arg("-o").arg(&part);
    run_tool(&mut command, &object.with_extension("log"))?;
    fs::rename(&part, object).map_err(Error::io("rename", &part))
}

/// The line of a region in a linker script: `name (rwx) : ORIGIN = 0x1000, LENGTH = 8M`.
fn region_line<'a>(script: &'a str, name: &str) -> Option<&'a str> {
    script.lines().find(|line| line.split_whitespace().next() == Some(name) && line.contains("LENGTH"))
}

/// The origin in the line of a region.
fn region_origin(script: &str, name: &str) -> Option<u64> {
    let origin = region_line(script, name)?.split_once("ORIGIN")?.1.split(',').next()?.trim_start_matches([' ', '=']);
    u64::from_str_radix(origin.trim().strip_prefix("0x")?, 16).ok()
}

/// The length in the line of a region.
fn region_length(script: &str, name: &str) -> Option<u64> {
    let line = region_line(script, name)?;
    let length = line.split_once("LENGTH")?.1.trim_start_matches([' ', '=']).trim_end();
    let digits = length.trim_end_matches(['K', 'M']);
    let unit = match &length[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// A section with a file's bytes.
fn blob(name: &str, file: &Path) -> Result<String, Error> {
    let file = file.canonicalize().map_err(Error::io("find", file))?;
    let quoted = file.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!(".section .blob.{name},\"a\"\n.incbin \"{quoted}\"\n"))
}

/// Recognises the linker's error for a full region. LLVM's repeats it for every section that is beyond the end, so the
/// largest number is that of the region.
fn does_not_fit(error: Error) -> Error {
    let Error::Tool { tail, .. } = &error else { return error };
    let overflow = |line: &str| {
        let (_, rest) = line.rsplit_once("region ")?;
        let (region, rest) = rest.split_once("overflowed by ")?;
        let by: u64 = rest.split(' ').next()?.parse().ok()?;
        Some((by, region.trim_matches(['`', '\'', ':', ' ']).to_string()))
    };
    match tail.lines().filter_map(overflow).max() {
        Some((by, region)) => Error::DoesNotFit { region, by },
        None => error,
    }
}

fn sections(tools: &Tools, image: &Path, usage: &str, log: &Path) -> Result<Sections, Error> {
    let table = run_tool(command(&tools.size).arg("-A").arg("-d").arg(image), &log.with_extension("size.log"))?;
    let regions = parse_usage(usage)?;
    let near = |region: &RegionUse| NEAR.contains(&region.name.as_str());
    let left = regions.iter().find(|region| near(region)).map_or(0, |ram| ram.length - ram.used.min(ram.length));
    let size = |name: &str| {
        let line = table
            .lines()
            .map(str::split_whitespace)
            .find_map(|mut words| if words.next() == Some(name) { words.next()?.parse::<u64>().ok() } else { None });
        // The linker omits empty sections.
        line.unwrap_or(0)
    };
    let floor = size(".heap_floor");
    let regions = regions.into_iter().map(|mut region| {
        if near(&region) {
            region.used -= floor.min(region.used);
        }
        region
    });
    Ok(Sections {
        text: size(".text") + size(".flash"),
        rodata: size(".rodata"),
        data: size(".data"),
        bss: size(".bss"),
        stack: size(".stack"),
        heap: floor + left,
        model: size(".model"),
        request: size(".request"),
        regions: regions.collect(),
    })
}

/// Parses the linker's table: `name:  used unit  length unit  share%`, after one header line.
fn parse_usage(table: &str) -> Result<Vec<RegionUse>, Error> {
    let rows = table.lines().filter(|line| line.contains('%') && line.contains(':'));
    let regions: Option<Vec<_>> = rows.map(parse_region).collect();
    match regions {
        Some(regions) if !regions.is_empty() => Ok(regions),
        _ => Err(Error::Unreadable { tool: "ld --print-memory-usage", what: table.to_string() }),
    }
}

fn parse_region(line: &str) -> Option<RegionUse> {
    let (name, rest) = line.split_once(':')?;
    let mut words = rest.split_whitespace();
    let mut bytes = || {
        let count: u64 = words.next()?.parse().ok()?;
        let unit = match words.next()? {
            "B" => 1,
            "KB" => 1 << 10,
            "MB" => 1 << 20,
            "GB" => 1 << 30,
            _ => return None,
        };
        count.checked_mul(unit)
    };
    Some(RegionUse { name: name.trim().to_string(), used: bytes()?, length: bytes()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(tail: &str) -> Error {
        Error::Tool { tool: "ld".into(), status: "exit status: 1".into(), log: "l".into(), tail: tail.into() }
    }

    #[test]
    fn a_full_region_is_recognised() {
        let error = does_not_fit(refused(
            "ld: out.elf section `.model' will not fit in region `psram'\nld: region `psram' overflowed by 1048576 bytes",
        ));
        assert!(matches!(error, Error::DoesNotFit { region, by: 1_048_576 } if region == "psram"));
        let error = does_not_fit(refused(
            "ld.lld: error: section '.model' will not fit in region 'flash': overflowed by 9 bytes\n\
             ld.lld: error: section '.request' will not fit in region 'flash': overflowed by 250 bytes",
        ));
        assert!(matches!(error, Error::DoesNotFit { region, by: 250 } if region == "flash"));
        assert!(matches!(does_not_fit(refused("undefined reference to `x'")), Error::Tool { .. }));
    }

    #[test]
    fn a_region_has_the_length_that_the_script_gives_it() {
        let script = include_str!("../../../../../runners/xtensa/link.ld");
        assert_eq!(region_length(script, "psram"), Some(8 << 20));
        assert_eq!(region_length(script, "sram"), Some(512 << 10));
        assert_eq!(region_length(script, "rom"), None);
        let script = include_str!("../../../../../runners/cortex-m/boards/stm32l4r5.ld");
        assert_eq!(region_length(script, "flash"), Some(2047 << 10));
    }

    #[test]
    fn the_table_of_regions_is_read_in_any_unit() {
        let table = "Memory region         Used Size  Region Size  %age Used\n             rom:           9 B        64 KB      0.01%\n           psram:          2 MB         8 MB     25.00%\n";
        let regions = parse_usage(table).expect("a table");
        assert_eq!(regions[0], RegionUse { name: "rom".into(), used: 9, length: 64 << 10 });
        assert_eq!(regions[1], RegionUse { name: "psram".into(), used: 2 << 20, length: 8 << 20 });
        assert!(parse_usage("nothing").is_err());
        assert!(parse_usage("rom: x B 1 KB 0%").is_err());
    }
}
