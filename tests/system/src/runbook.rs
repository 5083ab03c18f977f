//! docs/RUNBOOK.md as an operator follows it: the section of an alarm, the commands that stand in it, and a shell to run them.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{Cloud, operator::Output};

/// What a command of the runbook leaves open, and what stands there in a rehearsal.
pub type Filled<'a> = &'a [(&'a str, &'a str)];

/// The runbook.
#[derive(Debug)]
pub struct Runbook(String);

/// The section of an alarm.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a>(&'a str);

impl Runbook {
    /// Reads it.
    pub fn read() -> Self {
        Self(fs::read_to_string(root().join("docs/RUNBOOK.md")).expect("docs/RUNBOOK.md"))
    }

    /// The commands of all sections.
    pub fn commands(&self) -> Vec<String> {
        self.0.split("\n## ").flat_map(commands).collect()
    }

    /// The section that begins with this alarm.
    pub fn section(&self, alarm: &str) -> Section<'_> {
        let named = |section: &&str| {
            let first = section.split("\n\n").nth(1).unwrap_or_default();
            first.contains(&format!("`{alarm}`"))
        };
        Section(self.0.split("\n## ").find(named).unwrap_or_else(|| panic!("the runbook has no section of {alarm}")))
    }
}

/// The commands in a text, each once: what stands in backticks, however its lines are broken.
fn commands(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let spans = text.split('`').skip(1).step_by(2);
    let commands = spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
    commands
        .filter(|command| command.starts_with("wasf ") || command.starts_with("aws "))
        .filter(|command| seen.insert(command.clone()))
        .collect()
}

impl Section<'_> {
    /// The commands in it, each once.
    pub fn commands(&self) -> Vec<String> {
        commands(self.0)
    }

    /// Those that only look, as they are tried first.
    pub fn looks(&self) -> Vec<String> {
        let changes = ["--confirm", "wasf init", "wasf secret set", "wasf events test", "wasf mcp", "…"];
        let looks =
            |command: &String| command.starts_with("wasf ") && !changes.iter().any(|word| command.contains(word));
        self.commands().into_iter().filter(looks).collect()
    }
}

/// A command with what it leaves open filled in; each of it stands as a word of its own.
pub fn filled(command: &str, with: Filled<'_>) -> String {
    let fill = |word: &str| {
        with.iter().find(|(name, _)| *name == word).map_or_else(|| word.to_owned(), |(_, value)| (*value).to_owned())
    };
    command.split(' ').map(fill).collect::<Vec<_>>().join(" ")
}

/// An operator's shell on the local cloud, with `wasf`, and with boto3 for the AWS CLI.
#[derive(Debug)]
pub struct Shell<'a> {
    cloud: &'a Cloud,
    folder: PathBuf,
}

impl<'a> Shell<'a> {
    /// A shell, whose commands are about the main stack unless they name another.
    pub fn new(cloud: &'a Cloud) -> Self {
        let state = std::env::var("LOCAL_CLOUD_STATE").expect("LOCAL_CLOUD_STATE");
        let folder = Path::new(&state).parent().expect("a folder").join("shell");
        fs::create_dir_all(&folder).expect("a folder");
        let python = root().join(".local/venv-ministack/bin/python");
        let script = format!(
            "#!/bin/sh\nexec {} {} \"$@\"\n",
            python.display(),
            root().join("tests/local_cloud/aws.py").display()
        );
        let aws = folder.join("aws");
        fs::write(&aws, script).expect("a script");
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).expect("a script");
        Self { cloud, folder }
    }

    /// Runs a command with this on its standard input, about this stack.
    pub fn run(&self, stack: &str, command: &str, input: &str) -> Output {
        self.start(stack, command, input).end()
    }

    /// Starts a command.
    pub fn start(&self, stack: &str, command: &str, input: &str) -> Running {
        let path = std::env::var("PATH").expect("PATH");
        let test = std::env::current_exe().expect("this test");
        let binaries = fs::canonicalize(&test).expect("this test");
        let binaries = binaries.parent().and_then(Path::parent).expect("cargo's folder");
        let mut bash = Command::new("bash");
        bash.args(["-euc", command])
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{}:{path}", self.folder.display(), binaries.display()))
            .env("WASF_STACK_NAME", stack)
            .envs(self.cloud.environment())
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = bash.spawn().expect("bash");
        let _ = process.stdin.take().expect("an input").write_all(input.as_bytes());
        Running(process)
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Waits until it has ended.
    pub fn end(self) -> Output {
        let output = self.0.wait_with_output().expect("an output");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Output { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the checkout")
}

/// The alarms of the template, by their logical ids.
pub fn alarms_of_the_template() -> BTreeSet<String> {
    let template = fs::read_to_string(root().join("template.yaml")).expect("template.yaml");
    let mut lines = template.lines().peekable();
    let mut found = BTreeSet::new();
    while let Some(line) = lines.next() {
        let is_alarm = lines.peek().is_some_and(|next| next.trim() == "Type: AWS::CloudWatch::Alarm");
        found.extend(is_alarm.then(|| line.trim().trim_end_matches(':').to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_section_are_those_in_backticks_whatever_their_lines() {
        let runbook = Runbook(
            "# Runbook\n\n## Keys\n\n`KmsAlarm`. Text with `wasf_text`.\n\n1. Run `wasf doctor`, then\n   `aws kms\n   enable-key \
             --key-id …`.\n2. `wasf doctor` again; `wasf secret set NAME --confirm`.\n\n## Other\n\n`wasf stats`\n"
                .to_owned(),
        );
        let section = runbook.section("KmsAlarm");
        let commands = ["wasf doctor", "aws kms enable-key --key-id …", "wasf secret set NAME --confirm"];
        assert_eq!(section.commands(), commands);
        assert_eq!(section.looks(), ["wasf doctor"]);
    }

    #[test]
    fn what_a_command_leaves_open_is_filled_in_word_by_word() {
        assert_eq!(filled("wasf attempt show ID", &[("ID", "0a")]), "wasf attempt show 0a");
        assert_eq!(filled("aws kms enable-key --key-id …", &[("…", "arn:k")]), "aws kms enable-key --key-id arn:k");
        assert_eq!(filled("wasf stats", &[("ID", "0a")]), "wasf stats");
    }

    #[test]
    fn every_alarm_of_the_template_has_a_section() {
        let (runbook, alarms) = (Runbook::read(), alarms_of_the_template());
        assert!(alarms.len() > 30, "{alarms:?}");
        for alarm in alarms {
            assert!(!runbook.section(&alarm).commands().is_empty(), "{alarm}");
        }
    }
}
