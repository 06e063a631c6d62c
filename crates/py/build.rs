//! Puts into the binary what it was built from, so that Python can tell when it is stale.
//!
//! The source hash is SHA-256 over the sources of the three shipped crates, each as
//! `relative path, NUL, contents, NUL`, in path order. `headwater/_core/__init__.py` computes the same.

use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

fn main() {
    let crates = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("..");
    let mut files = Vec::new();
    for name in ["core", "worker", "py"] {
        collect(&crates.join(name).join("src"), &mut files);
    }
    let mut named: Vec<(String, PathBuf)> = files
        .into_iter()
        .map(|file| (relative(&crates, &file), file))
        .collect();
    named.sort();
    let mut hash = Sha256::new();
    for (name, file) in named {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(fs::read(&file).expect("a source that was just listed"));
        hash.update([0]);
    }
    println!(
        "cargo::rustc-env=HEADWATER_SOURCE_HASH={:x}",
        hash.finalize()
    );
    println!(
        "cargo::rustc-env=HEADWATER_STR0M={}",
        str0m_version(&crates)
    );
    println!("cargo::rustc-env=HEADWATER_PROFILE={}", profile());
    for name in ["core/src", "worker/src", "py/src", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", crates.join(name).display());
    }
}

/// The profile's own name, from `target/<profile>/build/<crate>/out`; `PROFILE` knows only two.
fn profile() -> String {
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    let name = out.ancestors().nth(3).and_then(Path::file_name);
    name.map_or_else(
        || "unknown".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn relative(base: &Path, file: &Path) -> String {
    let path = file.strip_prefix(base).expect("a file below crates/");
    path.to_string_lossy().replace('\\', "/")
}

/// The version in the lock file; there is one, pinned.
fn str0m_version(crates: &Path) -> String {
    let lock = fs::read_to_string(crates.join("../Cargo.lock")).unwrap_or_default();
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"str0m\"");
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1));
    version.unwrap_or("unknown").to_owned()
}
