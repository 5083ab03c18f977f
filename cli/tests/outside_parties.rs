//! `wasf` as a process: what of its environment reaches the outside.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy takes for other code")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
};

/// A proxy, or another server, that refuses each request; the heads of the requests.
fn server() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (heads, asked) = mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, mut head, mut part) = (connection.unwrap(), Vec::new(), [0; 4096]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match connection.read(&mut part).unwrap() {
                    0 => break,
                    length => head.extend_from_slice(&part[..length]),
                }
            }
            heads.send(String::from_utf8_lossy(&head).into_owned()).unwrap();
            connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        }
    });
    (address, asked)
}

/// What `wasf … dlq stats` says on standard error.
fn wasf(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    said(&[arguments, &["dlq", "stats"]].concat(), environment)
}

/// What `wasf` says on standard error. It finds no home, and nothing of this process's environment but the path.
fn said(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasf"));
    command.args(["--stack-name", "nobodys"]).args(arguments).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.envs([("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_MAX_ATTEMPTS", "1"), ("HOME", "/nowhere")]);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

const CREDENTIALS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1")];

/// The first request that a proxy gets for a call of CloudFormation.
fn asked_of_a_proxy(name: &str, environment: &[(&str, &str)]) -> String {
    let (address, asked) = server();
    wasf(&[], &[&CREDENTIALS[..], environment, &[(name, &address)]].concat());
    asked.recv().unwrap().lines().next().unwrap().to_owned()
}

/// A file in a folder of its own: tests run side by side, and one that is written again is empty for a moment.
fn file(name: &str, text: &str) -> PathBuf {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let folder = FOLDERS.fetch_add(1, Ordering::Relaxed).to_string();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    folder.join(name)
}

#[test]
fn what_needs_a_checkout_or_a_release_says_where_to_run_it() {
    for (arguments, why) in [
        (&["--local", "doctor"][..], "no checkout in this folder or above it"),
        (&["init"], "in the folder of the unpacked release, or in the checkout"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasf"));
        let output = command.args(arguments).env_clear().current_dir("/").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}

#[test]
fn aws_is_asked_through_the_environments_proxy() {
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let first = asked_of_a_proxy(name, &[("NO_PROXY", "sqs.us-east-1.amazonaws.com,.example.com")]);
        assert_eq!(first, "CONNECT cloudformation.us-east-1.amazonaws.com:443 HTTP/1.1", "{name}");
    }
}

#[test]
fn a_proxy_gets_the_password_of_its_url_and_nobody_else_does() {
    let (address, asked) = server();
    let with_password = address.replace("http://", "http://ada:S3CRET@");
    let said = wasf(&[], &[&CREDENTIALS[..], &[("HTTPS_PROXY", &with_password)]].concat());
    let head = asked.recv().unwrap();
    assert!(head.to_lowercase().contains("proxy-authorization: basic ") && head.contains("YWRhOlMzQ1JFVA=="), "{head}");
    assert!(!said.contains("S3CRET"), "{said}");
}

#[test]
fn a_host_in_no_proxy_is_asked_directly() {
    for exempt in ["127.0.0.1", "example.com, 127.0.0.1", "*"] {
        let (address, asked) = server();
        let direct = [("AWS_ENDPOINT_URL", &*address), ("HTTP_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", exempt)];
        wasf(&[], &[&CREDENTIALS[..], &direct].concat());
        assert!(asked.recv().unwrap().starts_with("POST / "), "{exempt}");
    }
}

#[test]
fn a_port_in_no_proxy_is_that_port_alone() {
    let (endpoint, direct) = server();
    let (proxy, proxied) = server();
    let port = endpoint.strip_prefix("http://").unwrap();
    let environment = |exempt| [("AWS_ENDPOINT_URL", &*endpoint), ("HTTP_PROXY", &*proxy), ("NO_PROXY", exempt)];
    wasf(&[], &[&CREDENTIALS[..], &environment(port)].concat());
    assert!(direct.recv().unwrap().starts_with("POST / "));
    wasf(&[], &[&CREDENTIALS[..], &environment("127.0.0.1:80")].concat());
    assert!(proxied.recv().unwrap().starts_with(&format!("POST {endpoint}/ ")));
}

#[test]
fn a_proxy_that_cannot_be_used_is_named() {
    let said = wasf(&[], &[&CREDENTIALS[..], &[("https_proxy", "socks5://127.0.0.1:1080")]].concat());
    assert!(said.contains("cannot use the proxy in https_proxy: socks5 proxies are not supported"), "{said}");
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    for (text, why) in [(None, "No such file"), (Some(""), "no certificate"), (Some("-----BEGIN x"), "")] {
        let file = text.map_or_else(|| "/nowhere.pem".into(), |text| file("ca.pem", text));
        let said = wasf(&[], &[&CREDENTIALS[..], &[("AWS_CA_BUNDLE", file.to_str().unwrap())]].concat());
        assert!(said.contains("cannot use the certificates in AWS_CA_BUNDLE") && said.contains(why), "{said}");
    }
}

#[test]
fn the_endpoints_are_those_that_the_environment_asks_for() {
    for (name, value, host) in [
        ("AWS_USE_FIPS_ENDPOINT", "true", "cloudformation-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "cloudformation.us-east-1.api.aws"),
        ("AWS_ENDPOINT_URL_CLOUDFORMATION", "https://vpce-1.example.com", "vpce-1.example.com"),
        ("AWS_ENDPOINT_URL_SQS", "https://vpce-1.example.com", "cloudformation.us-east-1.amazonaws.com"),
    ] {
        let first = asked_of_a_proxy("HTTPS_PROXY", &[(name, value)]);
        assert_eq!(first, format!("CONNECT {host}:443 HTTP/1.1"), "{name}={value}");
    }
}

/// `wasf init` runs in this crate's folder, below the checkout's samconfig.toml, and asks whose account it is first.
#[test]
fn the_account_is_asked_for_where_the_environment_says() {
    for (name, value, host) in [
        ("AWS_USE_FIPS_ENDPOINT", "true", "sts-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "sts.us-east-1.api.aws"),
        ("AWS_ENDPOINT_URL_STS", "https://vpce-3.example.com/", "vpce-3.example.com"),
        ("AWS_ENDPOINT_URL_SQS", "https://vpce-3.example.com/", "sts.us-east-1.amazonaws.com"),
    ] {
        let (address, asked) = server();
        let environment = [&CREDENTIALS[..], &[(name, value), ("HTTPS_PROXY", &address)]].concat();
        said(&["init", "--no-input", "--whatsapp-provider", "None"], &environment);
        let first = asked.recv().unwrap();
        assert!(first.starts_with(&format!("CONNECT {host}:443 ")), "{name}={value}: {first}");
    }
}

#[test]
fn the_endpoints_are_those_that_the_profile_asks_for() {
    let text = "[profile fips]\nregion = us-east-2\nuse_fips_endpoint = true\n\
                [profile dual]\nregion = us-east-2\nuse_dualstack_endpoint = true\n\
                [profile own]\nregion = us-east-2\nservices = ours\n\
                [services ours]\ncloudformation =\n  endpoint_url = https://vpce-2.example.com\n\
                [profile all]\nregion = us-east-2\nendpoint_url = https://all.example.com\n";
    let keys = "region = us-east-2\naws_access_key_id = A\naws_secret_access_key = s\n";
    let config = file("config", &text.replace("region = us-east-2\n", keys));
    for (profile, host) in [
        ("fips", "cloudformation-fips.us-east-2.amazonaws.com"),
        ("dual", "cloudformation.us-east-2.api.aws"),
        ("own", "vpce-2.example.com"),
        ("all", "all.example.com"),
    ] {
        let (address, asked) = server();
        let environment = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("HTTPS_PROXY", &*address)];
        wasf(&["--profile", profile], &environment);
        let first = asked.recv().unwrap();
        assert!(first.starts_with(&format!("CONNECT {host}:443 ")), "{profile}: {first}");
    }
}

/// An AWS CLI that has a session of `aws login`, and knows one profile.
const AWS: &str = r#"#!/bin/sh
case "$*" in
"configure export-credentials --profile session --format process" | "configure export-credentials --format process")
  echo '{"Version": 1, "AccessKeyId": "AKIASESSION", "SecretAccessKey": "s", "SessionToken": "t"}' ;;
*) echo "Your session has expired. Please reauthenticate using 'aws login'." >&2; exit 255 ;;
esac
"#;

const SESSIONS: &str = "[default]\nregion = us-east-1\nlogin_session = arn:aws:sts::123456789012:assumed-role/ada/ada\n\
    [profile session]\nregion = us-east-1\nlogin_session = arn:aws:sts::123456789012:assumed-role/ada/ada\n\
    [profile expired]\nregion = us-east-1\nlogin_session = arn:aws:sts::123456789012:assumed-role/bob/bob\n";

#[test]
fn a_profile_of_aws_login_is_read_by_the_aws_cli() {
    let aws = file("aws", AWS);
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
    let config = file("config", SESSIONS);
    let path = format!("{}:/usr/bin:/bin", aws.parent().unwrap().display());
    let environment = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("PATH", path.as_str())];
    for arguments in [&["--profile", "session"][..], &[]] {
        let (address, asked) = server();
        wasf(arguments, &[&environment[..], &[("AWS_ENDPOINT_URL", address.as_str())]].concat());
        let head = asked.recv().unwrap();
        assert!(head.contains("Credential=AKIASESSION/"), "{arguments:?}: {head}");
    }
    let said = wasf(&["--profile", "expired"], &environment);
    assert!(said.contains("cannot use the profile expired") && said.contains("aws login"), "{said}");
    assert!(!said.contains("cargo"), "{said}");
}

#[test]
fn a_profile_of_aws_login_without_an_aws_cli_that_knows_it_says_so() {
    let config = file("config", SESSIONS);
    let old = "#!/bin/sh\necho 'usage: aws [options]' >&2; echo 'aws: error: Invalid choice' >&2; exit 2\n";
    let aws = file("aws", old);
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
    let with_old = format!("{}:/usr/bin:/bin", aws.parent().unwrap().display());
    fs::create_dir_all(config.with_file_name("shell")).unwrap();
    let shell = config.with_file_name("shell").join("sh");
    let _ = std::os::unix::fs::symlink("/bin/sh", &shell);
    for path in ["/nowhere", shell.parent().unwrap().to_str().unwrap(), &with_old] {
        let said = wasf(&["--profile", "session"], &[("AWS_CONFIG_FILE", config.to_str().unwrap()), ("PATH", path)]);
        assert!(said.contains("cannot use the profile session"), "{path}: {said}");
        assert!(said.contains("no AWS CLI of version 2.32 or newer"), "{path}: {said}");
    }
}

#[test]
fn what_the_environment_lacks_is_named_with_what_to_do() {
    let without_region = wasf(&[], &CREDENTIALS[..2]);
    assert!(without_region.contains("give --region, or set AWS_REGION"), "{without_region}");
    let without_credentials = wasf(&[], &CREDENTIALS[2..]);
    assert!(without_credentials.contains("run aws configure"), "{without_credentials}");
}

const KEYS: &str = "aws_secret_access_key = s\nregion = us-east-2\naws_access_key_id =";

/// The first request of `wasf` with these arguments, in a folder with this samconfig.toml and an environment that has keys of
/// its own and these: whose keys it is signed with, and for which Region.
fn signed_by(arguments: &[&str], samconfig: &str, environment: &[(&str, &str)]) -> (String, String) {
    let config = format!("[profile prod]\n{KEYS} AKIAPROD\n[profile live]\n{KEYS} AKIALIVE\n");
    let config = file("config", &config);
    let folder = file("samconfig.toml", samconfig);
    let (address, asked) = server();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasf"));
    command.args(arguments).env_clear().current_dir(folder.parent().unwrap());
    command.envs([("AWS_MAX_ATTEMPTS", "1"), ("AWS_EC2_METADATA_DISABLED", "true"), ("HOME", "/nowhere")]);
    command.envs([("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_ENDPOINT_URL", &address)]);
    command.envs(environment.iter().copied());
    let output = command.output().unwrap();
    assert!(!output.status.success(), "wasf {arguments:?} {samconfig}");
    let said = String::from_utf8(output.stderr).unwrap();
    let head = asked.try_recv().unwrap_or_else(|_| panic!("wasf {arguments:?} asked nobody: {said}"));
    let credential = head.split("Credential=").nth(1).unwrap_or_else(|| panic!("not signed: {head}"));
    let mut parts = credential.split('/').map(str::to_owned);
    (parts.next().unwrap(), parts.nth(1).unwrap())
}

const WITH_PROFILES: &str = "[default.global.parameters]\nstack_name = \"s\"\nprofile = \"prod\"\nregion = \"eu-west-1\"\n\
                             [live.deploy.parameters]\nstack_name = \"s\"\nprofile = \"live\"\n";

/// Each with the keys of another account in the environment.
#[test]
fn the_account_is_that_of_the_profile_that_is_named_whatever_the_environment_has() {
    let prod_by_variable = [&CREDENTIALS[..], &[("AWS_PROFILE", "prod")]].concat();
    for (arguments, samconfig, environment, signed) in [
        (&["--stack-name", "s", "--profile", "prod", "doctor"][..], "", &CREDENTIALS[..], ("AKIAPROD", "us-east-1")),
        (
            &["--stack-name", "s", "--profile", "live", "doctor"],
            WITH_PROFILES,
            &prod_by_variable,
            ("AKIALIVE", "us-east-1"),
        ),
        (&["--stack-name", "s", "--profile", "live", "doctor"], "", &CREDENTIALS[..2], ("AKIALIVE", "us-east-2")),
        (&["doctor"], WITH_PROFILES, &CREDENTIALS, ("AKIAPROD", "eu-west-1")),
        (&["--profile", "live", "doctor"], WITH_PROFILES, &CREDENTIALS, ("AKIALIVE", "eu-west-1")),
        (&["--region", "us-west-2", "doctor"], WITH_PROFILES, &CREDENTIALS, ("AKIAPROD", "us-west-2")),
        (&["--config-env", "live", "doctor"], WITH_PROFILES, &CREDENTIALS, ("AKIALIVE", "us-east-1")),
        (
            &["--config-env", "live", "--profile", "prod", "doctor"],
            WITH_PROFILES,
            &CREDENTIALS,
            ("AKIAPROD", "us-east-1"),
        ),
        // What nobody names is the shell's, and a stack that is named alone is looked for where the shell points.
        (&["--stack-name", "s", "doctor"], WITH_PROFILES, &CREDENTIALS, ("AKIA", "us-east-1")),
        (&["--stack-name", "s", "doctor"], "", &prod_by_variable[2..], ("AKIAPROD", "us-east-1")),
    ] {
        let found = signed_by(arguments, samconfig, environment);
        assert_eq!((found.0.as_str(), found.1.as_str()), signed, "wasf {arguments:?}");
    }
}

#[test]
fn every_command_is_signed_by_the_profile_that_is_named() {
    for command in [
        "alarms",
        "attempt list",
        "connection revoke whatsapp:+15551234567 --confirm",
        "destroy --confirm",
        "dlq redrive --confirm",
        "dlq drop --confirm",
        "doctor",
        "events redeliver --confirm",
        "events test",
        "init --no-input --whatsapp-provider None --confirm",
        "link whatsapp:+15551234567",
        "logs",
        "person erase whatsapp:+15551234567 --confirm",
        "secret set sf_client_secret --confirm",
        "stats",
    ] {
        let arguments: Vec<_> =
            ["--stack-name", "s", "--profile", "prod"].into_iter().chain(command.split(' ')).collect();
        assert_eq!(signed_by(&arguments, "", &CREDENTIALS).0, "AKIAPROD", "wasf {command}");
    }
}

/// How `wasf` ends in a shell that redirects its descriptors so, and what it says.
fn redirected(redirection: &str, arguments: &str) -> (Option<i32>, String) {
    let script = format!("exec \"$0\" {arguments} {redirection}");
    let wasf = env!("CARGO_BIN_EXE_wasf");
    let ended = Command::new("sh").args(["-c", &script, wasf]).stdout(Stdio::piped()).output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_closed_standard_output_is_an_error_before_anything_is_done() {
    for arguments in ["completions bash", "--help", "--version", "mcp", "init --no-input", "nonsense"] {
        for redirection in [">&-", ">&- <&-", "1</dev/null"] {
            let (code, said) = redirected(redirection, arguments);
            assert_eq!(code, Some(1), "wasf {arguments} {redirection}: {said}");
            assert!(said.starts_with("wasf: cannot write the output: standard output is closed"), "{said}");
        }
    }
}

#[test]
fn a_command_without_a_standard_error_neither_is_taken_for_one_that_succeeded() {
    for redirection in [">&- 2>&-", "<&- >&- 2>&-"] {
        assert_eq!(redirected(redirection, "completions bash").0, Some(1), "{redirection}");
    }
}

#[test]
fn output_that_is_discarded_on_purpose_is_no_error() {
    for redirection in [">/dev/null", "1<>/dev/null", ">/dev/null <&-", ">/dev/null 2>&-"] {
        let (code, said) = redirected(redirection, "completions bash");
        assert_eq!((code, said.as_str()), (Some(0), ""), "{redirection}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_takes_nothing_is_an_error_that_says_so() {
    for arguments in ["--help", "--version", "connection revoke --help", "completions bash"] {
        let (code, said) = redirected(">/dev/full", arguments);
        assert_eq!(code, Some(1), "wasf {arguments}: {said}");
        assert!(said.starts_with("wasf: cannot write the output: No space left on device"), "wasf {arguments}: {said}");
        assert_eq!(said.lines().count(), 1, "wasf {arguments}: {said}");
    }
}

#[test]
fn a_variable_of_the_environment_that_is_invalid_is_named() {
    for (name, value, why) in [
        ("AWS_MAX_ATTEMPTS", "many", "not a number from 1"),
        ("AWS_MAX_ATTEMPTS", "0", "not a number from 1"),
        ("AWS_RETRY_MODE", "legacy", "wasf knows standard and adaptive"),
        ("AWS_ENDPOINT_URL", "nonsense", "not a URL"),
        ("AWS_ENDPOINT_URL", "localhost:4566", "not a URL"),
    ] {
        let said = wasf(&[], &[&CREDENTIALS[..], &[(name, value)]].concat());
        let begin = format!("wasf: {name} in the environment is invalid: {why}");
        assert!(said.starts_with(&begin) && said.lines().count() == 1, "{name}={value}: {said}");
    }
}

#[test]
fn a_setting_of_the_profile_that_the_sdk_does_not_know_is_an_error_that_names_it() {
    let file = file("config", "[default]\nretry_mode = legacy\n");
    let said = wasf(&[], &[&CREDENTIALS[..], &[("AWS_CONFIG_FILE", file.to_str().unwrap())]].concat());
    assert!(said.starts_with("wasf: cannot use the AWS configuration: ") && said.contains("legacy"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_region_that_is_none_is_named() {
    let said = wasf(&[], &[&CREDENTIALS[..], &[("AWS_REGION", "")]].concat());
    assert!(said.contains("cannot find the region: none is configured"), "{said}");
    let said = wasf(&["--region", "us east"], &CREDENTIALS);
    assert!(said.contains("\"us east\" is no region"), "{said}");
}

#[test]
fn a_request_that_cannot_be_sent_is_not_quoted() {
    let said = wasf(&[], &[&CREDENTIALS[..], &[("AWS_ENDPOINT_URL_CLOUDFORMATION", "nonsense")]].concat());
    assert!(said.contains("nonsense") && !said.contains("nobodys") && !said.contains("body"), "{said}");
}

#[test]
fn a_profile_of_the_environment_that_is_unknown_is_not_called_the_default_one() {
    let said = wasf(&[], &[("AWS_PROFILE", "nope"), ("AWS_REGION", "us-east-1")]);
    assert!(said.contains("AWS_PROFILE"), "{said}");
}

#[test]
fn a_file_that_names_no_stack_is_named() {
    let file = file("samconfig.toml", "version = 0.1\n");
    let said = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasf"));
        command.args(arguments).arg("doctor").current_dir(file.parent().unwrap()).env_remove("WASF_STACK_NAME");
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    let unnamed = format!("wasf: no stack name; give --stack-name ({} has none for default)\n", file.display());
    assert_eq!(said(&[]), unnamed);
    assert!(said(&["--config-env", "prod"]).contains("has no environment prod; it has none"));
}
