"""What `make package` makes of the repository. That it deploys and connects somebody, tests/system sees to."""

import copy
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest
import yaml
from conftest import ROOT, parsed

sys.path.insert(0, str(ROOT / "release"))
import package  # noqa: E402

TEMPLATE = (ROOT / "template.yaml").read_text()
BOTH = list(package.ARCHITECTURES.values())
CARGO = '[workspace.package]\nversion = "1.2.0"\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2027-01-31\n\n- New.\n\n## [1.1.0] - 2026-12-01\n\n- Old.\n"


def _elf(path, machine, klass=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x7fELF" + bytes([klass, 1, 1]) + bytes(11) + machine.to_bytes(2, "little") + b"the rest")
    return path


@pytest.mark.parametrize("architecture", BOTH, ids=lambda each: each.name)
def test_a_packaged_template_is_the_template_with_zips_of_one_architecture(architecture):
    packaged = parsed(package.packaged_template(TEMPLATE, "1.2.0", architecture))
    assert f"connect 1.2.0 ({architecture.name}): people" in packaged["Description"]
    wanted = copy.deepcopy(parsed(TEMPLATE))
    wanted["Description"] = packaged["Description"]
    del wanted["Globals"]["Function"]["CodeUri"]
    for function in wanted["Resources"].values():
        if function["Type"] == "AWS::Serverless::Function":
            binary = function.pop("Metadata")["BuildProperties"]["Binary"]
            function["Properties"]["CodeUri"] = f"functions/{binary}-{architecture.name}.zip"
    described = wanted["Parameters"]["Architecture"]
    described.update(Default=architecture.name, AllowedValues=[architecture.name])
    described["Description"] += f" This template's zips are for {architecture.name}."
    assert packaged == wanted


def test_a_template_of_another_form_is_not_packaged():
    for broken in (TEMPLATE.replace("Binary: notifier", "Manifest: notifier"), TEMPLATE.replace("    CodeUri: .\n", "")):
        with pytest.raises(package.Failed, match="template.yaml has"):
            package.packaged_template(broken, "1.2.0", BOTH[0])


def test_the_default_architectures_template_is_the_one_that_sam_deploy_looks_for(template):
    default = package.ARCHITECTURES[template["Parameters"]["Architecture"]["Default"]]
    assert default.template == "template.yaml"
    assert sorted(package.ARCHITECTURES) == sorted(template["Parameters"]["Architecture"]["AllowedValues"])


def test_every_function_is_packaged(template):
    assert sorted(package.functions(TEMPLATE).values()) == sorted(path.name for path in (ROOT / "functions").iterdir())


@pytest.mark.parametrize("wrong", ["function", "wasf"])
def test_a_program_for_another_processor_ends_the_packaging(tmp_path, wrong):
    arm, intel = 183, 62
    for binary in package.functions(TEMPLATE).values():
        _elf(tmp_path / "built" / binary, intel if (wrong, binary) == ("function", "notifier") else arm)
    _elf(tmp_path / "built/wasf", intel if wrong == "wasf" else arm)
    patterns = (f"{tmp_path}/built/{{binary}}", f"{tmp_path}/built/wasf")
    with pytest.raises(package.Failed, match="no program for arm64"):
        package.add_programs(tmp_path, package.ARCHITECTURES["arm64"], TEMPLATE, patterns)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n" * 4, b"\x7fELF\x01\x01" + bytes(12) + b"\xb7\x00", b"\x7fELF\x02\x02" + bytes(12) + b"\xb7\x00"])
def test_what_is_no_64_bit_little_endian_program_is_not_packaged(tmp_path, content):
    (tmp_path / "bootstrap").write_bytes(content)
    with pytest.raises(package.Failed):
        package.check_elf(tmp_path / "bootstrap", package.ARCHITECTURES["arm64"])


def test_the_same_program_makes_the_same_zip_whenever_it_was_built(tmp_path):
    bootstrap = _elf(tmp_path / "bootstrap", 62)
    package.write_zip(tmp_path / "a.zip", bootstrap)
    os.utime(bootstrap, (2_000_000_000, 2_000_000_000))
    bootstrap.chmod(0o600)
    package.write_zip(tmp_path / "b.zip", bootstrap)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_lambda_may_execute_the_program_in_a_zip(tmp_path):
    package.write_zip(tmp_path / "a.zip", _elf(tmp_path / "bootstrap", 62))
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        (entry,) = file.infolist()
    assert (entry.filename, entry.external_attr >> 16 & 0o777) == ("bootstrap", 0o755)


def test_the_same_files_make_the_same_archive(tmp_path):
    archives = []
    for name, order in (("one", "ab"), ("two", "ba")):
        folder = tmp_path / name / "release"
        folder.mkdir(parents=True)
        for file in order:
            (folder / file).write_text(file)
        os.utime(folder / "a", (0, len(archives)))
        (folder / "b").chmod(0o755)
        package.write_archive(tmp_path / f"{name}.tar.gz", folder, 1_800_000_000)
        archives.append((tmp_path / f"{name}.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        assert {entry.name: entry.mode for entry in archive} == {"release": 0o755, "release/a": 0o644, "release/b": 0o755}


def test_sha256sum_finds_a_file_that_was_changed(tmp_path):
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/a.zip").write_text("a")
    package.write_checksums(tmp_path / "SHA256SUMS", [tmp_path / "functions/a.zip"])
    assert hashlib.sha256(b"a").hexdigest() in (tmp_path / "SHA256SUMS").read_text()
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path).returncode == 0
    (tmp_path / "functions/a.zip").write_text("b")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 1


def _earlier(out):
    """What an earlier release has left."""
    folder = out / "whatsapp-salesforce-connect-1.1.0"
    (folder / "functions").mkdir(parents=True)
    files = {"CHANGELOG.md": CHANGELOG, "samconfig.toml": "earlier", "functions/a.zip": "earlier"}
    for file, text in files.items():
        (folder / file).write_text(text)
    package.write_checksums(folder / "SHA256SUMS", [folder / file for file in files])
    archive = out / f"{folder.name}.tar.gz"
    package.write_archive(archive, folder, 1_800_000_000)
    (out / "sbom.cdx.json").write_text("earlier")
    package.write_checksums(out / "SHA256SUMS", [archive, out / "sbom.cdx.json"])
    (out / "notes.md").write_text("- Old.\n")
    return out


def _contents(out):
    return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_new_release_takes_the_place_of_an_earlier_one_of_an_empty_folder_and_of_none(tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (_earlier(tmp_path / "earlier"), tmp_path / "empty", tmp_path / "new/dist"):
        with package.replacing(out) as new:
            (new / "SHA256SUMS").write_text("new")
        assert [(path.name, path.read_text()) for path in out.iterdir()] == [("SHA256SUMS", "new")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["earlier", "empty", "new"]


@pytest.mark.parametrize("what", ["something beside", "no archive", "no sums", "a file", "a checkout"])
def test_a_folder_that_holds_something_else_than_a_release_stays(tmp_path, what):
    out = _earlier(tmp_path / "out") if what != "a file" else tmp_path / "out"
    if what in ("something beside", "a file"):
        (out / "precious" if what != "a file" else out).write_text("mine")
    elif what == "a checkout":
        for path in out.iterdir():
            path.unlink() if path.is_file() else path.rename(out / "whatsapp-salesforce-connect-fork")
    else:
        (out / {"no archive": "whatsapp-salesforce-connect-1.1.0.tar.gz", "no sums": "SHA256SUMS"}[what]).unlink()
    before = sorted(out.rglob("*"))
    with pytest.raises(package.Failed), package.replacing(out) as new:
        new.joinpath("made").touch()
    assert sorted(out.rglob("*")) == before and sorted(path.name for path in tmp_path.iterdir()) == ["out"]


FOLDER = "whatsapp-salesforce-connect-1.1.0"
SUMS = f"{'0' * 64}  mine\n"


@pytest.mark.parametrize(
    "change, file",
    [
        (lambda file: file.write_text("mine"), f"{FOLDER}/samconfig.toml"),
        (lambda file: file.write_text("mine"), f"{FOLDER}/functions/mine.zip"),
        (lambda file: file.symlink_to("samconfig.toml"), f"{FOLDER}/link"),
        (lambda file: file.unlink(), f"{FOLDER}/SHA256SUMS"),
        (lambda file: file.write_text(file.read_text() + SUMS), f"{FOLDER}/SHA256SUMS"),
        (lambda file: file.write_text("- Old, and mine.\n"), "notes.md"),
        (lambda file: file.write_text("mine"), "sbom.cdx.json"),
        (lambda file: file.write_text(file.read_text() + SUMS), "SHA256SUMS"),
        (lambda file: file.write_bytes(b"mine"), f"{FOLDER}.tar.gz"),
        (lambda file: file.write_bytes(b"mine"), "whatsapp-salesforce-connect-1.0.0.tar.gz"),
        (lambda file: [file.unlink(), file.symlink_to("sbom.cdx.json")], "notes.md"),
        (lambda file: [file.unlink(), file.mkdir(), (file / "mine").touch()], "notes.md"),
    ],
    ids=[
        "a file that was edited",
        "a file that was added",
        "a link",
        "no checksums",
        "other checksums",
        "edited notes",
        "an edited bill of materials",
        "other checksums beside the archive",
        "another archive under its name",
        "another archive",
        "a link in a file's place",
        "a folder in a file's place",
    ],
)
def test_a_release_that_somebody_worked_in_stays(tmp_path, change, file):
    out = _earlier(tmp_path / "out")
    change(out / file)
    before = _contents(out)
    with pytest.raises(package.Failed) as failed, package.replacing(out) as new:
        new.joinpath("made").touch()
    assert str(failed.value).startswith(f"{out / file} is not as the release had it"), failed.value
    assert _contents(out) == before


@pytest.mark.parametrize("is_whole", [False, True], ids=["a file", "the folder"])
def test_what_an_earlier_release_lacks_is_no_loss(tmp_path, is_whole):
    out = _earlier(tmp_path / "out")
    folder = out / "whatsapp-salesforce-connect-1.1.0"
    package.shutil.rmtree(folder) if is_whole else (folder / "functions/a.zip").unlink()
    with package.replacing(out) as new:
        (new / "SHA256SUMS").write_text("new")
    assert (out / "SHA256SUMS").read_text() == "new"


def test_git_does_not_see_a_release_that_is_being_made():
    made = subprocess.run(["git", "check-ignore", ".dist-x1y2z3/new/notes.md", "dist/notes.md"], cwd=ROOT, capture_output=True, text=True)
    assert made.stdout.split() == [".dist-x1y2z3/new/notes.md", "dist/notes.md"], made


def test_a_release_that_fails_leaves_the_earlier_one(tmp_path):
    out = _earlier(tmp_path / "out")
    before = _contents(out)
    with pytest.raises(package.Failed, match="half"), package.replacing(out):
        raise package.Failed("half of it")
    assert _contents(out) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["--functions", "{nope}", "--wasf", "w"], "'{nope}' is no pattern of a file: it may name {logical_id}, {binary}, {architecture}"),
        (["--functions", "{", "--wasf", "w"], "'{' is no pattern"),
        (["--functions", "missing/{binary}", "--wasf", "w"], "missing/"),
        (["--out", "FILE"], "/FILE is no folder"),
        (["--out", "FILE/below"], "/FILE is no folder"),
        (["--out", "FILE/below/that"], "/FILE is no folder"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path, arguments, why):
    (tmp_path / "FILE").write_text("")
    out = [] if "--out" in arguments else ["--out", "dist"]
    command = [sys.executable, ROOT / "release/package.py", "--architecture", "x86_64", *arguments, *out]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("No release: ") and why in said.stderr and said.stderr.count("\n") == 1, said.stderr
    assert "Errno" not in said.stderr, said.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"]


def test_no_link_of_a_releases_documents_is_dead(tmp_path):
    package.add_documents(tmp_path, "")
    for name in ("template.yaml", "samconfig.toml"):
        (tmp_path / name).touch()
    found = 0
    for document in tmp_path.rglob("*.md"):
        for link in re.findall(r"\]\(([^()\s#]+)[^()]*\)", document.read_text()):
            if not re.match(r"[a-z]+:", link):
                found += 1
                assert (document.parent / link).exists(), f"{document.relative_to(tmp_path)}: {link}"
    assert found > 100
    for name in ("docs/images/connect.png", "docs/contract/events.schema.json", "docs/decisions/README.md", "SECURITY.md", "examples/python/bot.py"):
        assert (tmp_path / name).is_file(), name
    held = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    tracked = subprocess.run(["git", "ls-files", *held], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(held - set(tracked)) == [], "not of the repository"


@pytest.mark.parametrize(
    "repository, expected",
    [("", "See here and [there](API.md#x)."), ("https://x/blob/c", "See [here](https://x/blob/c/CONTRIBUTING.md#make) and [there](API.md#x).")],
)
def test_a_link_to_what_a_release_lacks_leads_to_the_repository_or_becomes_text(repository, expected):
    text = "See [here](../CONTRIBUTING.md#make) and [there](API.md#x)."
    document, held = package.pathlib.Path("docs/EVENTS.md"), {package.pathlib.Path("docs/API.md")}
    assert package.linked(text, document, held, repository) == expected


@pytest.mark.parametrize("link", ["MISSING.md", "../../elsewhere.md"])
def test_a_link_to_nothing_is_no_release(link):
    with pytest.raises(package.Failed, match="does not exist"):
        package.linked(f"[x]({link})", package.pathlib.Path("docs/EVENTS.md"), set(), "")


def test_a_release_for_one_architecture_has_the_template_that_sam_deploy_looks_for(tmp_path, monkeypatch):
    intel = package.ARCHITECTURES["x86_64"]
    for binary in [*package.functions(TEMPLATE).values(), "wasf"]:
        _elf(tmp_path / "built" / binary, intel.elf_machine)
    monkeypatch.setattr(package, "_bill_of_materials", lambda *_of: "{}\n")
    with package.replacing(tmp_path / "dist") as new:
        package.package(new, "1.2.0", [intel], (f"{tmp_path}/built/{{binary}}", f"{tmp_path}/built/wasf"))
    (folder,) = (tmp_path / "dist").glob("*-1.2.0")
    assert (folder / "template.yaml").read_text() == (folder / "template-x86_64.yaml").read_text()
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder).returncode == 0


def test_a_releases_notes_are_what_the_changelog_says_of_it():
    assert package.notes_of("1.2.0", CHANGELOG) == "- New.\n"
    assert package.notes_of("unreleased-0123456789ab", CHANGELOG) == ""


@pytest.mark.parametrize(
    "changelog, cargo",
    [
        (CHANGELOG, CARGO.replace("1.2.0", "1.1.0")),
        (CHANGELOG.replace("[1.2.0]", "[1.3.0]"), CARGO),
        (CHANGELOG.replace("- 2027-01-31", ""), CARGO),
        (CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- Later.\n"), CARGO),
        (CHANGELOG.replace("## [Unreleased]\n", ""), CARGO),
    ],
    ids=["other crates", "other changelog", "no date", "unreleased changes", "no place for unreleased changes"],
)
def test_a_tag_that_is_not_the_changelogs_and_the_crates_version_is_no_release(changelog, cargo):
    with pytest.raises(package.Failed):
        package.check_version("1.2.0", changelog, cargo)


def test_the_changelog_has_the_form_of_which_releases_are_made():
    version = "9.9.9"
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "\n## [Unreleased]\n" in changelog
    released = changelog.replace("\n## [Unreleased]\n", f"\n## [Unreleased]\n\n## [{version}] - 2027-01-31\n")
    package.check_version(version, released, CARGO.replace("1.2.0", version))
    assert package.notes_of(version, released)


def test_the_settings_of_a_release_are_the_repositorys_and_speak_of_no_make():
    settings = (ROOT / "samconfig.toml").read_text()
    packaged = package.packaged_settings(settings)
    assert "make" not in packaged
    assert packaged.split("version = ")[1] == settings.split("version = ")[1]


def test_the_release_workflow_may_publish_and_attest_and_no_more():
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "write", "id-token": "write", "attestations": "write"}
