//! Writes the initial inputs of each target: `fuzz-seeds ROOT OUT` writes `OUT/<target>/<name>` from the golden files
//! and definitions of the workspace at `ROOT`.

use anyhow::{Context, bail};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [root, out] = arguments.as_slice() else { bail!("usage: fuzz-seeds ROOT OUT") };
    for target in bitstate_fuzz::TARGETS {
        let folder = Path::new(out).join(target.name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for (name, bytes) in (target.seeds)(Path::new(root))? {
            let path = folder.join(name);
            std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}
