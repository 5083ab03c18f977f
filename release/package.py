#!/usr/bin/env python3
"""Makes what a release holds: the functions' zips, templates that name them, `wasf`, a bill of materials, checksums.

    package.py [--version 1.2.3] [--architecture arm64|x86_64]… [--functions PATTERN --wasf PATTERN] [--out dist]

Whoever deploys a release needs neither Rust nor this repository: `sam deploy` uploads the zips that stand beside the
template. CodeUri takes no intrinsic function while it names a local file, so each architecture has a template of its own.

With --version the changelog and Cargo.toml must be of that version, which the release's tag has. --functions and --wasf
name binaries that are built already, by `{binary}`, `{logical_id}` and `{architecture}`; without them both are compiled.
The same binaries make the same bytes: files are in order, and have the time of the commit, or none.

--out is the folder of the release: a new or an empty one, or that of an earlier release, which stays as it is until the new
one is complete. The documents for deployers and for developers of bots are in it; links of theirs to what is not lead to the
repository (--repository, or in a workflow its own), or become plain text.
"""

import argparse
import contextlib
import dataclasses
import gzip
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAME = "whatsapp-salesforce-connect"
DEFAULT_TEMPLATE = "template.yaml"
_TOOLS = ROOT / ".local" / "venv-tools" / "bin"
# What a deployer and a bot's developer read; what only the repository's developers do is left out.
_DOCUMENTS = [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "docs/*.md",
    "docs/*.svg",
    "docs/*.yml",
    "docs/contract/*",
    "docs/decisions/*.md",
    "docs/images/*.png",
    "examples/*.md",
    "examples/python/*.*",
    "examples/typescript/*.*",
    "examples/typescript/src/**/*.ts",
]
_SUMS = "SHA256SUMS"
_OF_A_RELEASE = {_SUMS, "notes.md", "sbom.cdx.json"}


class Failed(Exception):
    """Why there is no release, and what to do."""


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A processor architecture, as Lambda, cargo-lambda, `uname -m` and ELF's e_machine name it."""

    name: str
    flag: str
    machine: str
    elf_machine: int

    @property
    def target(self):
        return f"{self.machine}-unknown-linux-gnu"

    @property
    def template(self):
        """The default's has the name that `sam deploy` looks for."""
        return DEFAULT_TEMPLATE if self.name == "arm64" else f"template-{self.name}.yaml"


# By the generic ABI's supplement of each processor: EM_AARCH64, EM_X86_64.
ARCHITECTURES = {each.name: each for each in (Architecture("arm64", "--arm64", "aarch64", 183), Architecture("x86_64", "--x86-64", "x86_64", 62))}


# ── Which release it is ──────────────────────────────────────────────────────────────────────────────────────────────


def check_version(version, changelog, cargo):
    """Fails unless a version is the changelog's newest, dated, the crates', and nothing is unreleased."""
    if (own := tomllib.loads(cargo)["workspace"]["package"]["version"]) != version:
        raise Failed(f"Cargo.toml has version {own}, not {version}: set workspace.package.version")
    unreleased, of_version = _sections(changelog)[:2]
    if unreleased[0] != "Unreleased" or unreleased[2]:
        raise Failed(f"CHANGELOG.md has changes under Unreleased: move them to {version}")
    if of_version[0] != version or not re.fullmatch(r"- \d{4}-\d{2}-\d{2}", of_version[1]):
        raise Failed(f"CHANGELOG.md has no dated section {version} after Unreleased")


def notes_of(version, changelog):
    """What the changelog says of a version; empty where it has no such version."""
    return next((f"{text}\n" for name, _, text in _sections(changelog) if name == version), "")


def _sections(changelog):
    """Each version's name, the rest of its heading, and what is said of it."""
    parts = [part.strip() for part in re.split(r"^## \[(.+?)\](.*)\n", changelog, flags=re.MULTILINE)[1:]]
    return list(zip(parts[::3], parts[1::3], parts[2::3]))


def _git(*arguments):
    found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else ""


def _commit_time():
    """Seconds since 1970; 1980 where there is no commit, because zips know no time before."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given and not given.isdecimal():
        raise Failed("SOURCE_DATE_EPOCH is no number of seconds since 1970")
    return int(given or _git("log", "-1", "--format=%ct") or 315_532_800)


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_elf(path, architecture):
    """Fails unless a file is a 64-bit program for Linux's little-endian processors of this architecture."""
    with path.open("rb") as file:
        header = file.read(20)
    if header[:6] != b"\x7fELF\x02\x01" or int.from_bytes(header[18:20], "little") != architecture.elf_machine:
        raise Failed(f"{path} is no program for {architecture.name}")


def write_zip(path, bootstrap):
    """A function's deployment package, the same bytes for the same binary."""
    entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix: the permissions below count
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(entry, bootstrap.read_bytes(), compresslevel=9)


def write_archive(path, folder, time):
    """All of a folder, in order, without the owner's name."""

    def as_released(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = time
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in [folder, *sorted(folder.rglob("*"))]:
            archive.add(each, each.relative_to(folder.parent), recursive=False, filter=as_released)
    path.write_bytes(gzip.compress(content.getvalue(), 9, mtime=0))


def write_checksums(path, files):
    """As `sha256sum --check` reads them, relative to the folder of `path`."""
    path.write_text(_checksums(path.parent, files))


def _checksums(folder, files):
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder)}\n" for file in sorted(files))


# ── Documents ────────────────────────────────────────────────────────────────────────────────────────────────────────

_LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<path>[^()\s#:]+)(?P<anchor>#[^()\s]*)?\)")


def documents():
    """The files of the repository that a release holds as they are, by their paths in both."""
    return sorted({path.relative_to(ROOT) for pattern in _DOCUMENTS for path in ROOT.glob(pattern) if path.is_file()})


def linked(text, document, held, repository):
    """A document whose relative links all lead somewhere: to what the release holds, or to the repository's address at this commit;
    without one, a link to anything else becomes its text."""

    def mended(found):
        path = pathlib.PurePosixPath(os.path.normpath(document.parent / found["path"]))
        if path.parts[:1] == ("..",) or not (ROOT / path).exists():
            raise Failed(f"{document} has a link to {found['path']}, which does not exist")
        if path in held:
            return found[0]
        return f"[{found['text']}]({repository}/{path}{found['anchor'] or ''})" if repository else found["text"]

    return _LINK.sub(mended, text)


def add_documents(folder, repository):
    """Puts the documents into the release's folder."""
    files = documents()
    # What stands beside them, and may be linked to; a folder is there when something in it is.
    held = {*files, *(parent for path in files for parent in path.parents), *map(pathlib.Path, ("template.yaml", "samconfig.toml"))}
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            (folder / path).write_text(linked((ROOT / path).read_text(), path, held, repository))
        else:
            shutil.copyfile(ROOT / path, folder / path)


def repository_address(given):
    """Where the files of this commit are, without a slash at the end; empty where nobody says."""
    of_workflow = os.environ.get("GITHUB_REPOSITORY", "") and f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{os.environ['GITHUB_REPOSITORY']}"
    address, commit = (given or of_workflow).rstrip("/"), _git("rev-parse", "HEAD")
    return f"{address}/blob/{commit}" if address and commit else ""


# ── Template and settings ────────────────────────────────────────────────────────────────────────────────────────────

_FUNCTION = re.compile(
    r"^  (?P<logical_id>\w+):\n    Type: AWS::Serverless::Function\n(?P<more>(?:    DependsOn: .*\n)?)"
    r"    Metadata: \{ BuildMethod: rust-cargolambda, BuildProperties: \{ Binary: (?P<binary>[\w-]+) \} \}\n    Properties:\n",
    re.MULTILINE,
)
_ARCHITECTURE = re.compile(r"(?<=^  Architecture:\n)(    Description: )(.*)(\n    Type: String\n)    Default: .*\n    AllowedValues: .*\n", re.MULTILINE)
_DESCRIPTION = "  WhatsApp to Salesforce connect: people tap"


def functions(template):
    """Each function's logical id and binary."""
    return {found["logical_id"]: found["binary"] for found in _FUNCTION.finditer(template)}


def packaged_template(template, version, architecture):
    """The template with zips in place of crates, and with the one architecture that they are for."""

    def with_zip(found):
        head = f"  {found['logical_id']}:\n    Type: AWS::Serverless::Function\n{found['more']}    Properties:\n"
        return head + f"      CodeUri: functions/{found['binary']}-{architecture.name}.zip\n"

    one = rf"\1\2 This template's zips are for {architecture.name}.\3    Default: {architecture.name}\n    AllowedValues: [{architecture.name}]\n"
    text = _replace_once(_DESCRIPTION, f"  WhatsApp to Salesforce connect {version} ({architecture.name}): people tap", template)
    text = _replace_once("    CodeUri: .\n", "", text)
    text, of_architecture = _ARCHITECTURE.subn(one, text)
    text, of_functions = _FUNCTION.subn(with_zip, text)
    if of_architecture != 1 or of_functions != template.count("Type: AWS::Serverless::Function"):
        raise Failed("template.yaml has another form than release/package.py knows")
    return text


def packaged_settings(settings):
    """samconfig.toml, which speaks of no `make` where there is none."""
    comment = "# Deploy defaults for AWS; `sam deploy` uses them. `wasf init` puts your own parameters under parameter_overrides.\n"
    return comment + re.sub(r"\A(#.*\n)+", "", settings)


def _replace_once(old, new, text):
    if text.count(old) != 1:
        raise Failed(f"template.yaml has {old.strip()!r} {text.count(old)} times")
    return text.replace(old, new)


# ── Programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def compile_for(architecture, binaries):
    """Compiles functions and `wasf` for the C library of Lambda, which is older than most systems'; patterns of the results."""
    standard_library = _output("rustc", "--print", "target-libdir", "--target", architecture.target)
    if not pathlib.Path(standard_library.strip()).is_dir():
        _run("rustup", "target", "add", architecture.target)
    folder = ROOT / "target" / "released" / architecture.name
    build = ["cargo", "lambda", "build", "--release", "--locked", architecture.flag, "--lambda-dir", folder]
    # In one go, so that the functions have the features that only functions ask for.
    _run(*build, *(argument for binary in binaries for argument in ("--bin", binary)))
    # Operators' machines are older than Lambda's: without the optimisations for these.
    _run(*build, "--package", "wasf", "--disable-optimizations")
    return f"{folder}/{{binary}}/bootstrap", f"{folder}/wasf/bootstrap"


def _run(*command):
    _finished(command, None)


def _output(*command):
    return _finished(command, subprocess.PIPE).stdout


def _finished(command, stdout):
    path = f"{_TOOLS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [str(part) for part in command]
    try:
        found = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, stdout=stdout, text=True)
    except FileNotFoundError:
        raise Failed(f"{command[0]} is missing: a release needs Rust by rustup (https://rustup.rs)") from None
    if found.returncode:
        raise Failed(f"`{' '.join(command[:3])}` ended with exit code {found.returncode}")
    return found


def _bill_of_materials(*of):
    try:
        import sbom  # from the one package that is not in Python
    except ModuleNotFoundError as error:
        raise Failed(f"the Python package {error.name} is missing: `make package` installs it, and runs this") from None
    try:
        return sbom.of(ROOT, NAME, *of)
    except subprocess.CalledProcessError as error:
        raise Failed(f"`{' '.join(error.cmd[:2])}` says: {error.stderr.strip()}") from None


def built_programs(architecture, template, patterns):
    """The functions' binaries and `wasf`, by their names; fails unless each is a program of this architecture."""
    of_functions, of_wasf = patterns
    found = {binary: _named(of_functions, logical_id=logical_id, binary=binary, architecture=architecture.name) for logical_id, binary in functions(template).items()}
    found["wasf"] = _named(of_wasf, architecture=architecture.name)
    for program in found.values():
        check_elf(program, architecture)
    return found


def _named(pattern, **names):
    try:
        return pathlib.Path(pattern.format(**names))
    except (LookupError, ValueError, AttributeError):
        raise Failed(f"{pattern!r} is no pattern of a file: it may name {', '.join(f'{{{name}}}' for name in names)}") from None


def add_programs(folder, architecture, template, patterns):
    """Puts the zips and `wasf` of one architecture into the release's folder."""
    programs = built_programs(architecture, template, patterns)
    wasf = programs.pop("wasf")
    (folder / "functions").mkdir(exist_ok=True)
    for binary, bootstrap in programs.items():
        write_zip(folder / "functions" / f"{binary}-{architecture.name}.zip", bootstrap)
    shutil.copyfile(wasf, folder / f"wasf-linux-{architecture.machine}")
    (folder / f"wasf-linux-{architecture.machine}").chmod(0o755)


# ── The release's folder ─────────────────────────────────────────────────────────────────────────────────────────────


def check_replaceable(out):
    """Fails unless a folder is absent, empty, or an earlier release as it was made: it is going to be replaced."""
    existing = next(path for path in (out, *out.parents) if path.exists())
    if not existing.is_dir():
        raise Failed(f"{existing} is no folder: name another one for the release")
    if existing != out:
        return
    archives = [path.name.removesuffix(".tar.gz") for path in out.glob(f"{NAME}-*.tar.gz")]
    known = _OF_A_RELEASE.union(*({name, f"{name}.tar.gz"} for name in archives))
    found = {path.name for path in out.iterdir()}
    if found and not (archives and _OF_A_RELEASE <= found <= known):
        raise Failed(f"{out} holds something else than a release, and would be replaced: name a new folder, or empty it")
    if found and (changed := _changed(out, archives)):
        raise Failed(f"{changed} is not as the release had it, and would be lost: put it elsewhere, or name a new folder")


def _changed(out, archives):
    """The first file that is not as a release had it; None where there is none. The checksums have the archive's and the bill of
    materials'; the archive has those of the folder, and the changelog that the notes are from."""
    sums, notes = out / _SUMS, out / "notes.md"
    for path in sorted(out.iterdir()):
        if path.is_symlink() or path.is_dir() != (path.name in archives):
            return path
    of_release = _sums(sums.read_bytes())
    files = sorted({*(out / f"{name}.tar.gz" for name in archives), out / "sbom.cdx.json"})
    if changed := next((path for path in files if _hash(path) != of_release.get(path.name)), None):
        return changed
    if sums.read_text(errors="replace") != _checksums(out, files):
        return sums
    for name in archives:
        archive = out / f"{name}.tar.gz"
        if notes.read_bytes() != notes_of(name.removeprefix(f"{NAME}-"), _archived(archive, "CHANGELOG.md").decode()).encode():
            return notes
        if changed := _changed_in(out / name, archive):
            return changed
    return None


def _changed_in(folder, archive):
    """The first file of a release's folder that its archive does not have, or has otherwise; None where there is none."""
    sums, archived = folder / _SUMS, _archived(archive, _SUMS)
    of_release = {**_sums(archived), _SUMS: hashlib.sha256(archived).hexdigest()}
    if folder.is_dir() and not sums.is_file():
        return sums
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_symlink() or not path.is_file() or _hash(path) != of_release.get(path.relative_to(folder).as_posix()):
            return path
    return None


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sums(content):
    """The checksums of files, by their paths."""
    return {line[66:]: line[:64] for line in content.decode(errors="replace").splitlines()}


def _archived(archive, path):
    """A file of a release, as its archive has it; empty where that has none."""
    try:
        with tarfile.open(archive) as content:
            return content.extractfile(f"{archive.name.removesuffix('.tar.gz')}/{path}").read()
    except (KeyError, tarfile.TarError, EOFError, OSError):
        return b""


@contextlib.contextmanager
def replacing(out):
    """A new folder, which takes the place of `out` at the end. If anything fails, `out` is as before."""
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
        new, earlier = pathlib.Path(beside, "new"), pathlib.Path(beside, "earlier")
        new.mkdir()
        yield new
        # Again: what takes minutes leaves time for something to be put there.
        check_replaceable(out)
        if out.exists():
            out.rename(earlier)
        try:
            new.rename(out)
        except OSError:
            if earlier.exists():
                earlier.rename(out)
            raise


def package(out, version, architectures, built, repository=""):
    """Makes the release in `out`, a new folder; `built`: the patterns of built binaries, or None. Returns the archive."""
    template, time = (ROOT / "template.yaml").read_text(), _commit_time()
    folder = out / f"{NAME}-{version}"
    folder.mkdir()
    add_documents(folder, repository)
    for architecture in architectures:
        patterns = built or compile_for(architecture, functions(template).values())
        add_programs(folder, architecture, template, patterns)
        (folder / architecture.template).write_text(packaged_template(template, version, architecture))
    default = folder / DEFAULT_TEMPLATE
    if not default.exists():
        # `sam deploy` looks for this name, whichever the one architecture is.
        shutil.copyfile(folder / architectures[0].template, default)
    (folder / "samconfig.toml").write_text(packaged_settings((ROOT / "samconfig.toml").read_text()))
    programs = [*functions(template).values(), "wasf"]
    (folder / "sbom.cdx.json").write_text(_bill_of_materials(version, programs, [each.target for each in architectures], time))
    write_checksums(folder / _SUMS, [path for path in folder.rglob("*") if path.is_file()])
    archive = out / f"{NAME}-{version}.tar.gz"
    write_archive(archive, folder, time)
    shutil.copyfile(folder / "sbom.cdx.json", out / "sbom.cdx.json")
    write_checksums(out / _SUMS, [archive, out / "sbom.cdx.json"])
    (out / "notes.md").write_text(notes_of(version, (folder / "CHANGELOG.md").read_text()))
    return archive


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", help="the release's version; without it, an unreleased one of this commit")
    parser.add_argument("--architecture", action="append", choices=ARCHITECTURES, help="only this one; both by default")
    parser.add_argument("--functions", metavar="PATTERN", help="the functions' binaries, where they are built already")
    parser.add_argument("--wasf", metavar="PATTERN", help="the same for wasf")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "dist", help="the folder: a new or an empty one, or an earlier release, which is replaced")
    parser.add_argument("--repository", help="where this repository is, as https://github.com/OWNER/REPOSITORY; links to files that a release lacks lead there")
    given = parser.parse_args()
    if bool(given.functions) != bool(given.wasf):
        parser.error("--functions and --wasf belong together")
    try:
        if given.version:
            check_version(given.version, (ROOT / "CHANGELOG.md").read_text(), (ROOT / "Cargo.toml").read_text())
        version = given.version or "unreleased-" + (_git("rev-parse", "--short=12", "HEAD") or "unknown")
        architectures = [ARCHITECTURES[name] for name in given.architecture or ARCHITECTURES]
        built, out = given.functions and (given.functions, given.wasf), given.out.resolve()
        with replacing(out) as new:
            made = package(new, version, architectures, built, repository_address(given.repository))
        archive = out / made.name
    except (Failed, OSError) as failure:
        # An error of the system names itself by a number.
        why = f"{failure.filename}: {failure.strerror}" if isinstance(failure, OSError) and failure.filename else failure
        print(f"No release: {why}", file=sys.stderr)
        return 1
    print(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
