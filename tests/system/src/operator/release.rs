//! An operator with a release: its archive in an empty folder, the SAM CLI, and a shell that has no Rust.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::{ARCHITECTURE, Operator, binaries, commands_of_the_readme, root};

/// Where the README installs `wasf`, below the operator's home.
pub(super) const WASF: &str = ".local/bin/wasf";
/// Names an archive to deploy in place of one of the functions that this repository's tests run.
const ARCHIVE: &str = "RELEASE_ARCHIVE";

/// All that the README's commands may find: what any Linux machine has, and the SAM CLI.
const PROGRAMS: [&str; 7] = ["bash", "gzip", "install", "sha256sum", "tar", "uname", "sam"];

pub(super) fn set_environment(command: &mut Command, home: &Path) {
    command.env("PATH", format!("{0}/.local/bin:{0}/bin", home.display())).env("HOME", home);
}

/// Makes a home whose `bin` has nothing else.
fn make_home(home: &Path) {
    fs::create_dir_all(home.join("bin")).expect("a folder");
    let tools = root().join(".local/venv-tools/bin");
    let path = std::env::var_os("PATH").expect("PATH");
    for name in PROGRAMS {
        let mut found = [tools.clone()].into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
        let program = found.find(|program| program.exists()).unwrap_or_else(|| panic!("{name} is missing"));
        symlink(program, home.join("bin").join(name)).expect("a link");
    }
}

impl Operator {
    /// The same cloud's operator who deploys a release under this name, as the README says. Their stack is `main` of their cloud.
    pub async fn with_release(self, stack: &str) -> Self {
        let home = self.folder.with_file_name(stack);
        make_home(&home);
        let downloads = home.join("downloads");
        fs::create_dir(&downloads).expect("a folder");
        let archive = self.archive(&home);
        fs::copy(&archive, downloads.join(archive.file_name().expect("a name"))).expect("the archive");
        let domain = format!("{stack}.localhost");
        let mut operator = Self { home: Some(home), domain, folder: downloads, ..self };
        assert_ne!(
            operator.run(Command::new("bash").args(["-c", "type cargo rustc"]), "").code,
            0,
            "the shell has Rust"
        );

        let commands = commands_of_the_readme("## Deploy it\n");
        let unpacked = commands.iter().position(|command| command.starts_with("wasf ")).expect("an unpacked release");
        let (unpack, rest) = commands.split_at(unpacked);
        let said = operator.run(Command::new("bash").args(["-euc", &format!("{}\npwd", unpack.join("\n"))]), "");
        assert_eq!(said.code, 0, "{unpack:?}: {}{}", said.out, said.err);
        operator.folder = PathBuf::from(said.out.trim());
        operator.create_the_bots_secret(&format!("{stack}/bot_webhook")).await;
        operator.configure(stack, &operator.settings_of_this_machine());
        let outputs = operator.follow(rest.iter(), stack).await;
        operator.cloud = operator.cloud.clone().with_stack("main", outputs);
        operator
    }

    /// What differs from AWS, where the README's defaults hold. A release of both architectures is deployed by the template of this
    /// one; the tests' own is for this one alone.
    fn settings_of_this_machine(&self) -> String {
        let is_both = std::env::var_os(ARCHIVE).is_some() && ARCHITECTURE != "arm64";
        let template =
            if is_both { format!("template_file = \"template-{ARCHITECTURE}.yaml\"\n") } else { String::new() };
        let url = &self.cloud.sandbox_url;
        format!("{template}parameter_overrides = [\"WhatsAppApiUrl={url}\"]\n")
    }

    /// The release's archive: that which the environment names, or one of the functions as they are built for the tests.
    fn archive(&self, home: &Path) -> PathBuf {
        if let Some(archive) = std::env::var_os(ARCHIVE) {
            return archive.into();
        }
        let out = home.join("dist");
        let functions = root().join(".local/build/{logical_id}/bootstrap");
        let mut package = Command::new(root().join(".local/venv-release/bin/python"));
        package.arg(root().join("release/package.py")).args(["--architecture", ARCHITECTURE]).arg("--out").arg(&out);
        let said = self.run(package.arg("--functions").arg(functions).arg("--wasf").arg(binaries().join("wasf")), "");
        assert_eq!(said.code, 0, "{}", said.err);
        let mut files = fs::read_dir(&out).expect("a release").map(|entry| entry.expect("a file").path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "gz")).expect("an archive")
    }
}
