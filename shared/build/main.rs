//! Compiles the texts for people, `texts/*.ftl`, into the statics that `src/texts.rs` includes.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build script is told where it is by the environment, and speaks to cargo on its standard output"
)]

mod catalogue;

use std::{env, error::Error, fs, io, path::Path};

use catalogue::{LANGUAGES, compile};

const FOLDER: &str = "texts";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-changed=build");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(FOLDER);
    let mut files = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| !LANGUAGES.iter().any(|tag| *file == format!("{tag}.ftl")));
    if !files.is_empty() {
        return Err(format!("{FOLDER}: not a language of build/catalogue.rs: {}", files.join(", ")).into());
    }
    let mut sources = Vec::new();
    for tag in LANGUAGES {
        sources.push(fs::read_to_string(folder.join(format!("{tag}.ftl"))).map_err(|error| format!("{tag}: {error}"))?);
    }
    let compiled =
        compile(&sources).map_err(|wrong| format!("the texts do not fit together:\n{}", wrong.join("\n")))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("texts.rs"), compiled)?;
    Ok(())
}
