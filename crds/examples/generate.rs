//! Writes `yaml/` from the types.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    std::fs::create_dir_all(&folder)?;
    for definition in exeat_crds::definitions()? {
        std::fs::write(folder.join(definition.file), definition.yaml()?)?;
    }
    Ok(())
}
