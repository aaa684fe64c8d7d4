//! `cargo run -p bitstate-harness --example records_schema` writes `ci/records.schema.json` from the types of the rows.

use bitstate_harness::records::schema;
use bitstate_harness::workspace::{Workspace, write_atomic};

fn main() -> Result<(), bitstate_harness::Error> {
    let workspace = Workspace::find()?;
    let path = schema::path(&workspace);
    write_atomic(&path, schema::text()?.as_bytes())?;
    println!("wrote {}", workspace.show(&path));
    Ok(())
}
